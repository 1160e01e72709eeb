"""One chunk of a source as one shard on disk: whole or absent, with the report of its rows beside it."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from bench.data.converting.report import OnError, Report
from bench.data.converting.source import Chunk
from bench.data.files import publish, write_atomically
from bench.data.store.row import Row
from bench.data.store.schema import SCHEMA, to_batch

BATCH_BYTES = 8 * 2**20
BATCH_ROWS = 256


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:06d}.arrow"


def report_path(shard: Path) -> Path:
    return shard.with_suffix(".report")


def write_shard(chunk: Chunk, path: Path, on_error: OnError) -> Report:
    """Converts a chunk. The report is written before the shard gets its name, so a shard that exists is done."""
    report = Report(on_error=on_error)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
            for rows in _groups(chunk.rows(report)):
                writer.write_batch(to_batch(rows))
        write_atomically(report_path(path), json.dumps(report.to_tree()).encode())
        publish(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return report


def read_report(shard: Path) -> Report:
    return Report.from_tree(json.loads(report_path(shard).read_bytes()))


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in groups of a bounded number of bytes: memory does not grow with the size of images or shards."""
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row.image)
        if size >= BATCH_BYTES or len(group) >= BATCH_ROWS:
            yield group
            group, size = [], 0
    if group:
        yield group
