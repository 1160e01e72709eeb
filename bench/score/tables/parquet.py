"""Parquet files whose rows are images: list columns to flat arrays and back, and errors that name the file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import UserError

HEADER = b"locbench"
REMEDY = "write it again"


def list_column(values: np.ndarray, counts: np.ndarray) -> pa.ListArray:
    """`counts[i]` values for row i; rows of a 2-d array become fixed-size lists."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    return pa.ListArray.from_arrays(offsets, pa.FixedSizeListArray.from_arrays(flat, 4) if values.ndim == 2 else flat)


def flat_column(table: pa.Table, name: str) -> np.ndarray:
    """All values of a list column in order; boxes as [N, 4]."""
    chunks = [_flat(chunk) for chunk in table.column(name).chunks]
    if len(chunks) == 1:
        return chunks[0]
    empty = np.zeros((0, 4) if name == "boxes" else 0, np.float32)
    return np.concatenate(chunks) if chunks else empty


def counts_of(table: pa.Table, name: str = "scores") -> np.ndarray:
    lengths = [np.diff(chunk.offsets.to_numpy()) for chunk in table.column(name).chunks]
    return np.concatenate([np.zeros(0, np.int64), *lengths]).astype(np.int64)


def with_header(schema: pa.Schema, header: dict[str, Any]) -> pa.Schema:
    return schema.with_metadata({HEADER: json.dumps(header, sort_keys=True).encode()})


def open_parquet(
    path: Path, form: str, version: int, columns: tuple[str, ...]
) -> tuple[pq.ParquetFile, dict[str, Any]]:
    """The file and its header; refuses what is not of this form and version."""
    try:
        file = pq.ParquetFile(path, memory_map=True)
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), remedy="check the path") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"not a whole Parquet file ({_first(error)})", where=str(path), remedy=REMEDY) from None
    header = _header(file.schema_arrow, path)
    if header.get("form") != form:
        raise UserError(f"holds {header.get('form', 'no locbench data')!r}, not {form!r}", where=str(path))
    if header.get("version") != version:
        found = header.get("version")
        raise UserError(f"has schema version {found!r}; this is version {version}", where=str(path), remedy=REMEDY)
    missing = [name for name in columns if name not in file.schema_arrow.names]
    if missing:
        raise UserError(f"lacks the columns {', '.join(missing)}", where=str(path), remedy=REMEDY)
    return file, header


def read_table(file: pq.ParquetFile, path: Path, **how: Any) -> pa.Table:
    try:
        return file.read(**how) if "row_groups" not in how else file.read_row_groups(**how)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"damaged data ({_first(error)})", where=str(path), remedy=REMEDY) from None


def _flat(chunk: pa.ListArray) -> np.ndarray:
    values = chunk.flatten()
    if pa.types.is_fixed_size_list(values.type):
        return values.flatten().to_numpy(zero_copy_only=False).reshape(-1, values.type.list_size)
    return values.to_numpy(zero_copy_only=False)


def _header(schema: pa.Schema, path: Path) -> dict[str, Any]:
    try:
        header: dict[str, Any] = json.loads((schema.metadata or {}).get(HEADER, b"{}"))
    except ValueError:
        raise UserError("unreadable header", where=str(path), remedy=REMEDY) from None
    return header


def _first(error: BaseException) -> str:
    return str(error).strip().split("\n")[0]
