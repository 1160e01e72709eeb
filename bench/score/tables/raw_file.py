"""Raw predictions on disk: Parquet shards written by prediction workers, read as one.

One row an image. Boxes are in pixels of the original image; `post` can be applied to them again and again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from bench.errors import UserError
from bench.score.tables.parquet import counts_of, flat_column, list_column, open_parquet, read_table, with_header
from detectors.raw import Raw

FORM, VERSION = "raw predictions", 1
TYPES = {"boxes": np.float32, "scores": np.float32, "labels": np.int16, "source": np.int32, "level": np.int8}
ROW_GROUP = 256
"""images"""


@dataclass(frozen=True)
class RawHeader:
    """What every shard says of itself; shards of one prediction say the same."""

    num_classes: int
    class_names: tuple[str, ...] = ()
    variant: dict[str, Any] = field(default_factory=dict)
    """the detector's config as a tree"""
    fingerprint: str = ""
    """of the data"""
    floor: float = 0.0
    """candidates whose class score is not above this were not stored"""


class RawWriter:
    """Writes one shard; the file appears under its name when all of it is there."""

    def __init__(self, folder: Path, header: RawHeader, shard: int = 0, num_shards: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"raw-{shard:05d}-of-{num_shards:05d}.parquet"
        self.header = header
        self._part = self.path.with_name(self.path.name + ".part")
        self._writer: pq.ParquetWriter | None = None
        self._tables: list[pa.Table] = []
        self._rows = 0

    def __enter__(self) -> RawWriter:
        return self

    def add(
        self, raw: Raw, images: Sequence[int], source_ids: Sequence[str], scales: torch.Tensor | None = None
    ) -> None:
        """A batch: `images` are row indices of the data, `scales` what the original was multiplied with."""
        raw = raw.select(raw.scores > self.header.floor)
        if scales is not None:
            raw = _unscaled(raw, scales)
        raw = raw.select(raw.image.argsort(stable=True))
        counts = torch.bincount(raw.image, minlength=raw.num_images).cpu().numpy()
        self._append(pa.table(_columns(raw, counts, images, source_ids)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            if self._writer is None and not self._tables:
                self._append(pa.table(_columns(_no_candidates(), np.zeros(0, np.int64), [], [])))
            self._flush()
        if self._writer is not None:
            self._writer.close()
        if kind is None:
            self._part.replace(self.path)
        else:
            self._part.unlink(missing_ok=True)

    def _append(self, table: pa.Table) -> None:
        self._tables.append(table)
        self._rows += len(table)
        if self._rows >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._tables:
            return
        table = pa.concat_tables(self._tables)
        if self._writer is None:
            schema = with_header(table.schema, {"form": FORM, "version": VERSION, **asdict(self.header)})
            self._writer = pq.ParquetWriter(self._part, schema, compression="zstd")
        self._writer.write_table(table.cast(self._writer.schema))
        self._tables, self._rows = [], 0


class RawFile:
    """All shards of a prediction. Rows are sorted by image."""

    def __init__(self, path: Path) -> None:
        self.path = path
        opened = [(shard, *open_parquet(shard, FORM, VERSION, ("image", *TYPES))) for shard in _shards(path)]
        headers = [header for _, _, header in opened]
        for shard, _, header in opened:
            if header != headers[0]:
                what = "was predicted with other settings than the first shard"
                raise UserError(what, where=str(shard), remedy="predict again")
        self.header = _header(headers[0], path)
        files = [(shard, file) for shard, file, _ in opened]
        # A worker for whom no image was left does not know which qualities there are.
        self._files = [(shard, file) for shard, file in files if file.metadata.num_rows] or files[:1]

    @cached_property
    def table(self) -> pa.Table:
        """Everything, in memory."""
        table = pa.concat_tables([read_table(file, shard) for shard, file in self._files])
        images = table.column("image").to_numpy()
        values, counts = np.unique(images, return_counts=True)
        if (counts > 1).any():
            raise UserError(f"image {values[counts.argmax()]} appears more than once", where=str(self.path))
        in_order = bool((np.diff(images) > 0).all())
        return table if in_order else table.take(pa.array(np.argsort(images)))

    @property
    def qualities(self) -> tuple[str, ...]:
        names = self._files[0][1].schema_arrow.names
        return tuple(name.removeprefix("quality.") for name in names if name.startswith("quality."))

    @property
    def num_images(self) -> int:
        """So many images the data have at least."""
        images = self.table.column("image")
        return images[-1].as_py() + 1 if len(images) else 0

    @property
    def num_candidates(self) -> int:
        return int(counts_of(self.table).sum())

    def __len__(self) -> int:
        return int(sum(file.metadata.num_rows for _, file in self._files))

    def batches(self, size: int) -> Iterator[tuple[Raw, list[int]]]:
        """`size` images at a time, with their indices."""
        for start in range(0, len(self), size):
            yield to_raw(self.table.slice(start, size))


def to_raw(table: pa.Table) -> tuple[Raw, list[int]]:
    """Rows of the file as raw predictions, and the images' indices in the data."""
    images = table.column("image").to_pylist()
    columns = {name: torch.from_numpy(flat_column(table, name).copy()) for name in TYPES}
    quality = {
        name.removeprefix("quality."): torch.from_numpy(flat_column(table, name).copy())
        for name in table.column_names
        if name.startswith("quality.")
    }
    for name in ("labels", "source", "level"):
        columns[name] = columns[name].long()
    image = torch.from_numpy(np.repeat(np.arange(len(images)), counts_of(table)))
    return Raw(**columns, image=image, num_images=len(images), quality=quality), images


def _shards(path: Path) -> list[Path]:
    """The shards of a folder, all of them, or the one file."""
    if path.is_file():
        return [path]
    found = sorted(path.glob("raw-*-of-*.parquet"))
    if not found:
        raise UserError("no raw predictions there", where=str(path), remedy="give a folder of raw-*.parquet shards")
    expected = int(found[0].stem.rpartition("-")[2])
    if len(found) != expected:
        raise UserError(f"{len(found)} of {expected} shards are there", where=str(path), remedy="predict again")
    return found


def _header(content: dict[str, Any], path: Path) -> RawHeader:
    try:
        fields = {name: value for name, value in content.items() if name not in ("form", "version")}
        return RawHeader(**{**fields, "class_names": tuple(fields.get("class_names", ()))})
    except TypeError as error:
        raise UserError(f"unreadable header ({error})", where=str(path), remedy="predict again") from None


def _columns(raw: Raw, counts: np.ndarray, images: Sequence[int], source_ids: Sequence[str]) -> dict[str, Any]:
    values = {name: getattr(raw, name) for name in TYPES}
    flat = {name: tensor.detach().cpu().numpy().astype(TYPES[name]) for name, tensor in values.items()}
    quality = {f"quality.{name}": q.detach().cpu().numpy().astype(np.float32) for name, q in raw.quality.items()}
    return {
        "image": pa.array(images, pa.int64()),
        "source_id": pa.array(source_ids, pa.string()),
        **{name: list_column(column, counts) for name, column in (flat | quality).items()},
    }


def _unscaled(raw: Raw, scales: torch.Tensor) -> Raw:
    per_box = scales.to(raw.boxes)[raw.image]
    per_box = per_box[:, None] if per_box.ndim == 1 else per_box.repeat(1, 2)
    columns = {name: getattr(raw, name) for name in ("scores", "labels", "image", "source", "level")}
    return Raw(boxes=raw.boxes / per_box, **columns, num_images=raw.num_images, quality=raw.quality)


def _no_candidates() -> Raw:
    whole = torch.zeros(0, dtype=torch.int64)
    return Raw(torch.zeros(0, 4), torch.zeros(0), whole, whole, whole, whole, num_images=0)
