"""A whole data set on disk, read through memory maps: `Store.open(path).row(i)`."""

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.data.store import manifest as manifests
from bench.data.store.manifest import Manifest
from bench.data.store.row import FLAGS, Annotations, Row
from bench.data.store.schema import list_values
from bench.errors import UserError

INDEX_FILE = "index.arrow"


class Batch:
    """A record batch with its list columns as numpy views: reading a row copies nothing but the row."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.images, self.source_ids, self.masks = (batch.column(name) for name in ("image", "source_id", "masks"))
        self.offsets = batch.column("labels").offsets.to_numpy()
        self.values = {name: list_values(batch, name) for name in ("boxes", "labels", "area", *FLAGS)}
        self.scalars = {name: batch.column(name).to_numpy() for name in ("image_id", "width", "height", "orientation")}

    def fields(self, slot: int) -> dict[str, Any]:
        """All fields of a row but its index and its image."""
        first = self.offsets[0]
        own = slice(self.offsets[slot] - first, self.offsets[slot + 1] - first)
        return {
            **{name: int(values[slot]) for name, values in self.scalars.items()},
            "source_id": self.source_ids[slot].as_py(),
            "boxes": self.values["boxes"][own].copy(),
            "labels": self.values["labels"][own].astype(np.int64),
            "area": self.values["area"][own].copy(),
            **{flag: self.values[flag][own].astype(bool) for flag in FLAGS},
            "masks": self.masks[slot].as_py(),
        }

    def image(self, slot: int) -> pa.Buffer:
        return self.images[slot].as_buffer()


class ShardReader:
    """One shard, mapped on first use."""

    def __init__(self, path: Path) -> None:
        try:
            self.file = pa.ipc.open_file(pa.memory_map(str(path)))
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError(
                f"missing or damaged shard ({error})", where=str(path), remedy="prepare the store again"
            ) from error
        self.batches: dict[int, Batch] = {}

    @cached_property
    def ends(self) -> list[int]:
        """The row after the last one of every batch."""
        return np.cumsum([self.file.get_batch(i).num_rows for i in range(self.file.num_record_batches)]).tolist()

    def find(self, slot: int) -> tuple[Batch, int]:
        which = bisect_right(self.ends, slot)
        if which not in self.batches:
            self.batches[which] = Batch(self.file.get_batch(which))
        return self.batches[which], slot - (self.ends[which - 1] if which else 0)

    def record_batches(self) -> Iterator[pa.RecordBatch]:
        return (self.file.get_batch(i) for i in range(self.file.num_record_batches))


class Store:
    """A data set's rows by index. Cheap to open and to send to other processes: shards are mapped when first read."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path, self.manifest = path, manifest
        self._starts = np.cumsum([0, *(shard.rows for shard in manifest.shards)]).tolist()
        self._shards: dict[int, ShardReader] = {}

    @classmethod
    def open(cls, path: Path | str) -> "Store":
        folder = Path(path).resolve()
        return cls(folder, manifests.load(folder))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __repr__(self) -> str:
        return f"Store({self.path}, {len(self)} images, {self.num_classes} classes, {self.fingerprint[:12]})"

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "manifest": self.manifest, "_starts": self._starts, "_shards": {}}

    @property
    def fingerprint(self) -> str:
        return self.manifest.fingerprint

    @property
    def num_classes(self) -> int:
        return len(self.manifest.classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(item.name for item in self.manifest.classes)

    def row(self, index: int) -> Row:
        batch, slot = self._find(index)
        return Row(index=index, image=batch.image(slot).to_pybytes(), **batch.fields(slot))

    def annotations(self, index: int) -> Annotations:
        """A row without its image, whose bytes are not read."""
        batch, slot = self._find(index)
        return Annotations(index=index, **batch.fields(slot))

    def image(self, index: int) -> pa.Buffer:
        """The encoded image as a view of the mapped file."""
        batch, slot = self._find(index)
        return batch.image(slot)

    def column(self, name: str) -> NDArray[np.int32]:
        """`width`, `height`, `boxes` or `usable` (boxes neither crowd nor difficult) of all rows."""
        values: NDArray[np.int32] = self._index.column(name).to_numpy()
        return values

    def digests(self) -> Iterator[bytes]:
        """The hash of every row, as conversion stored it."""
        return row_digests(self.path / INDEX_FILE)

    def shard(self, which: int) -> ShardReader:
        if which not in self._shards:
            self._shards[which] = ShardReader(self.path / self.manifest.shards[which].file)
        return self._shards[which]

    @cached_property
    def _index(self) -> pa.Table:
        return ShardReader(self.path / INDEX_FILE).file.read_all()

    def _find(self, index: int) -> tuple[Batch, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of a store of {len(self)} rows")
        which = bisect_right(self._starts, index) - 1
        return self.shard(which).find(index - self._starts[which])


def row_digests(index_file: Path) -> Iterator[bytes]:
    for batch in ShardReader(index_file).record_batches():
        yield from batch.column("digest").to_pylist()
