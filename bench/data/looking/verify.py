"""Re-hashes a store, re-checks all that its readers rely on, and decodes every image."""

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.data.batches.decode import decode
from bench.data.converting.masks import BadMask, check_counts
from bench.data.converting.record import OVERHANG
from bench.data.processes import run
from bench.data.store import Store
from bench.data.store.manifest import fingerprint
from bench.data.store.row import Row
from bench.errors import UserError
from bench.progress import Task

MAX_PROBLEMS = 100
FEW = 2000


@dataclass(frozen=True)
class Verified:
    """What was found; a store without problems is what its manifest says."""

    images: int
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        return not self.problems

    def table(self) -> str:
        lines = [f"{self.images} images checked, {len(self.problems) or 'no'} problems", *self.problems]
        return "\n".join(lines) + "\n"


def verify(store: Store | Path | str, *, workers: int | None = None) -> Verified:
    """Checks hashes, counts, boxes, labels and masks of a store, and that every image can be decoded to its size."""
    store = store if isinstance(store, Store) else Store.open(store)
    problems = list(_whole(store))
    with Task("verifying", len(store), "images") as progress, closing(_shards(store, workers)) as shards:
        for rows, found in shards:
            problems += found[: max(0, MAX_PROBLEMS - len(problems))]
            progress.advance(rows)
    return Verified(len(store), tuple(sorted(problems)))


def _whole(store: Store) -> Iterator[str]:
    """The checks over all rows: fingerprint and counts."""
    try:
        if fingerprint(store.manifest.classes, store.digests()) != store.fingerprint:
            yield "the hashes of the rows do not give the manifest's fingerprint"
        lengths = {"shards": len(store), "index": len(store.column("width")), "counts": store.manifest.counts.images}
        if len(set(lengths.values())) > 1:
            yield f"numbers of rows differ: {lengths}"
        if int(store.column("boxes").sum()) != store.manifest.counts.boxes:
            yield "the number of boxes is not the manifest's"
    except UserError as error:
        yield str(error)


def _shards(store: Store, workers: int | None) -> Generator[tuple[int, list[str]], None, None]:
    numbers = range(len(store.manifest.shards))
    count = min(workers or os.cpu_count() or 1, len(numbers))
    if count <= 1 or len(store) < FEW:
        yield from (check_shard(store, number) for number in numbers)
        return
    yield from run(check_shard, ((store, number) for number in numbers), count)


def check_shard(store: Store, number: int) -> tuple[int, list[str]]:
    """How many rows a shard should have, and what is wrong with those that it has."""
    shard = store.manifest.shards[number]
    first = sum(other.rows for other in store.manifest.shards[:number])
    problems: list[str] = []
    try:
        reader = store.shard(number)
        stored = [digest for batch in reader.record_batches() for digest in batch.column("digest").to_pylist()]
        if len(stored) != shard.rows:
            return shard.rows, [f"{shard.file}: {len(stored)} rows, the manifest says {shard.rows}"]
        for slot, digest in enumerate(stored):
            row = store.row(first + slot)
            where = f"{shard.file} row {slot} ({row.source_id})"
            if row.digest() != digest:
                problems.append(f"{where}: content differs from its hash")
            problems += [f"{where}: {what}" for what in row_problems(row, store.num_classes)]
    except (UserError, OSError, ValueError, IndexError) as error:
        problems.append(f"{shard.file}: {error}")
    return shard.rows, problems


def row_problems(row: Row, num_classes: int) -> Iterator[str]:
    """What a reader could trip over."""
    if not np.isfinite(row.boxes).all() or not np.isfinite(row.area).all():
        yield "a box or an area is not finite"
    if not (row.boxes[:, :2] < row.boxes[:, 2:]).all():
        yield "a box is empty or inverted"
    limits = np.array([row.width, row.height], np.float32) + OVERHANG
    if not ((row.boxes[:, :2] >= -OVERHANG).all() and (row.boxes[:, 2:] <= limits).all()):
        yield "a box reaches out of the image"
    if not ((row.labels >= 0) & (row.labels < num_classes)).all():
        yield "a label is no class"
    try:
        for counts in filter(None, row.masks or ()):
            check_counts(counts, row.width, row.height)
    except BadMask as error:
        yield f"a mask cannot be used ({error})"
    try:
        height, width = decode(row.image, row.orientation).shape[-2:]
        if (width, height) != (row.width, row.height):
            yield f"the image decodes to {width}x{height}, not {row.width}x{row.height}"
    except UserError as error:
        yield str(error)
