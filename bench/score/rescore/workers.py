"""Who does the pieces of a rescore: this process, processes of this machine, or tasks on Ray.

All share one copy of the raw predictions: processes map one uncompressed Arrow file, Ray's tasks read one object.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import torch

from bench.errors import UserError
from bench.score.evaluate import evaluate
from bench.score.protocols.protocol import Protocol as Rules
from bench.score.scores import Scores
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from bench.score.tables.raw_file import RawFile, to_raw
from detectors.parts.post import PostConfig

SMALL = 20_000_000
"""candidates times settings below which starting processes costs more than it saves"""
ROWS_A_BATCH = 64


class Workers(Protocol):
    """Takes pieces of work; each answer is a function that waits for the result."""

    def apply(self, post: PostConfig, start: int, length: int) -> Callable[[], Detections]: ...

    def evaluate(self, found: Detections, truth: GroundTruth, rules: Rules | str) -> Callable[[], Scores]: ...


def apply_post(post: PostConfig, rows: pa.Table) -> Detections:
    """One setting on some rows of raw predictions; image indices are those of the file."""
    raw, images = to_raw(rows)
    with torch.inference_mode():
        try:
            return Detections.from_output(post.build()(raw), images)
        except ValueError as error:
            raise UserError(str(error), where="post") from None


@contextmanager
def choose_workers(file: RawFile, num_settings: int, count: int | None, on_ray: bool) -> Iterator[Workers]:
    processes = count or (os.cpu_count() or 1)
    if on_ray:
        yield RayTasks(file.table)
    elif processes == 1 or (count is None and file.num_candidates * num_settings < SMALL):
        yield Here(file.table)
    else:
        with _mapped_file(file.table) as path, _pool(processes, path) as pool:
            yield Processes(pool)


class Here:
    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def apply(self, post: PostConfig, start: int, length: int) -> Callable[[], Detections]:
        return lambda: apply_post(post, self.table.slice(start, length))

    def evaluate(self, found: Detections, truth: GroundTruth, rules: Rules | str) -> Callable[[], Scores]:
        return lambda: _slim(found, truth, rules)


class Processes:
    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self.pool = pool

    def apply(self, post: PostConfig, start: int, length: int) -> Callable[[], Detections]:
        return self.pool.submit(_apply_to_shared, post, start, length).result

    def evaluate(self, found: Detections, truth: GroundTruth, rules: Rules | str) -> Callable[[], Scores]:
        return self.pool.submit(_slim, found, truth, rules).result


class RayTasks:
    def __init__(self, table: pa.Table) -> None:
        import ray

        self.ray: Any = ray
        self.table = ray.put(table)
        self._apply = ray.remote(_apply_to_rows)
        self._evaluate = ray.remote(_slim)

    def apply(self, post: PostConfig, start: int, length: int) -> Callable[[], Detections]:
        task = self._apply.remote(self.table, post, start, length)
        return lambda: self.ray.get(task)

    def evaluate(self, found: Detections, truth: GroundTruth, rules: Rules | str) -> Callable[[], Scores]:
        task = self._evaluate.remote(found, truth, rules)
        return lambda: self.ray.get(task)


@contextmanager
def _mapped_file(table: pa.Table) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="locbench-") as folder:
        path = Path(folder) / "raw.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=ROWS_A_BATCH)
        yield path


@contextmanager
def _pool(count: int, path: Path) -> Iterator[ProcessPoolExecutor]:
    """Started afresh, not forked: torch's threads do not survive a fork."""
    with ProcessPoolExecutor(count, get_context("spawn"), _open_shared, (str(path),)) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_shared: dict[str, pa.Table] = {}
"""in a worker process: the mapped table"""


def _open_shared(path: str) -> None:
    torch.set_num_threads(1)
    _shared["table"] = pa.ipc.open_file(pa.memory_map(path)).read_all()


def _apply_to_shared(post: PostConfig, start: int, length: int) -> Detections:
    return apply_post(post, _shared["table"].slice(start, length))


def _apply_to_rows(table: pa.Table, post: PostConfig, start: int, length: int) -> Detections:
    return apply_post(post, table.slice(start, length))


def _slim(found: Detections, truth: GroundTruth, rules: Rules | str) -> Scores:
    return replace(evaluate(found, truth, rules), accumulated=None)
