"""The columns of a store, and rows to columns. A shard is an Arrow IPC file of record batches of these columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.data.store.row import FLAGS, Row

_BOX = pa.list_(pa.float32(), 4)

SCHEMA = pa.schema(
    [
        ("image", pa.binary()),
        ("source_id", pa.string()),
        ("image_id", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("orientation", pa.uint8()),
        ("boxes", pa.list_(_BOX)),
        ("labels", pa.list_(pa.int32())),
        ("area", pa.list_(pa.float64())),
        *((flag, pa.list_(pa.uint8())) for flag in FLAGS),
        ("masks", pa.list_(pa.binary())),
        ("digest", pa.binary(32)),
    ]
)

# Small columns of all rows in one file, so that grouping by aspect ratio never touches a shard.
INDEX_SCHEMA = pa.schema(
    [
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("boxes", pa.int32()),
        ("usable", pa.int32()),
        ("digest", pa.binary(32)),
    ]
)


def to_batch(rows: Sequence[Row]) -> pa.RecordBatch:
    """Rows as one record batch."""
    offsets = np.cumsum([0, *(len(row) for row in rows)]).astype(np.int32)
    boxes = pa.FixedSizeListArray.from_arrays(pa.array(_joined(rows, "boxes", np.float32).reshape(-1)), 4)
    columns: dict[str, pa.Array] = {
        "image": pa.array([row.image for row in rows], pa.binary()),
        "source_id": pa.array([row.source_id for row in rows], pa.string()),
        **{
            name: pa.array([getattr(row, name) for row in rows], SCHEMA.field(name).type)
            for name in ("image_id", "width", "height", "orientation")
        },
        "boxes": pa.ListArray.from_arrays(offsets, boxes.cast(_BOX)),
        "labels": _lists(offsets, _joined(rows, "labels", np.int32)),
        "area": _lists(offsets, _joined(rows, "area", np.float64)),
        **{flag: _lists(offsets, _joined(rows, flag, np.uint8)) for flag in FLAGS},
        "masks": pa.array([row.masks for row in rows], pa.list_(pa.binary())),
        "digest": pa.array([row.digest() for row in rows], pa.binary(32)),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def index_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The index columns of a batch: `usable` counts the boxes that can be trained on (no crowd, not difficult)."""
    offsets = batch.column("labels").offsets.to_numpy().astype(np.int64)
    ignored = list_values(batch, "iscrowd") | list_values(batch, "difficult")
    usable = np.concatenate([[0], np.cumsum(ignored == 0)])[offsets - offsets[0]]
    counts = {"boxes": np.diff(offsets), "usable": np.diff(usable)}
    columns = [pa.array(counts[n].astype(np.int32)) if n in counts else batch.column(n) for n in INDEX_SCHEMA.names]
    return pa.RecordBatch.from_arrays(columns, schema=INDEX_SCHEMA)


def list_values(batch: pa.RecordBatch, name: str) -> NDArray[Any]:
    """The values of a list column of all rows, one after another, without a copy; boxes come as [N, 4]."""
    values = batch.column(name).flatten()
    if name == "boxes":
        return values.flatten().to_numpy().reshape(-1, 4)
    return values.to_numpy()


def _joined(rows: Sequence[Row], name: str, dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.asarray(getattr(row, name), dtype) for row in rows])


def _lists(offsets: NDArray[np.int32], values: NDArray[Any]) -> pa.ListArray:
    return pa.ListArray.from_arrays(offsets, pa.array(values))
