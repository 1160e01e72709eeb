"""Chunks to shards on many processes, or as Ray tasks on a cluster; shards that are there already are kept."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from bench.data.report import OnError, Report
from bench.data.shards import read_report, shard_path, write_shard
from bench.data.source import Chunk, Source
from bench.errors import StepFailed
from bench.progress import Task

Job = tuple[Chunk, Path, OnError]
IN_FLIGHT_PER_WORKER = 3


def convert(
    source: Source, folder: Path, on_error: OnError, workers: int | None, ray_address: str | None, shard_rows: int
) -> Report:
    """Writes every shard that is not there yet and returns the report of all."""
    starts = range(0, len(source), shard_rows)
    todo: list[int] = []
    with Task(f"converting {source.split}", len(source), "images") as progress:
        for number in range(len(starts)):
            if shard_path(folder, number).exists():
                progress.advance(read_report(shard_path(folder, number)).images.seen)
            else:
                todo.append(number)
        jobs = (
            (source.chunk(starts[n], min(starts[n] + shard_rows, len(source))), shard_path(folder, n), on_error)
            for n in todo
        )
        for report in _run(jobs, len(todo), workers or os.cpu_count() or 1, ray_address):
            progress.advance(report.images.seen)
    total = Report(on_error=on_error)
    for number in range(len(starts)):
        total.merge(read_report(shard_path(folder, number)))
    return total


def _run(jobs: Iterable[Job], count: int, workers: int, ray_address: str | None) -> Iterator[Report]:
    if ray_address is not None:
        return _on_ray(jobs, ray_address)
    if min(workers, count) <= 1:
        return (write_shard(*job) for job in jobs)
    return _on_processes(jobs, min(workers, count))


def _on_processes(jobs: Iterable[Job], workers: int) -> Iterator[Report]:
    """Fresh processes, because a fork of one that runs torch or Arrow threads may hang."""
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from _windowed(
                jobs, lambda job: pool.submit(write_shard, *job), _first_done, workers * IN_FLIGHT_PER_WORKER
            )
        except BrokenProcessPool:
            raise StepFailed(
                "a conversion process was killed (out of memory?); the same command goes on from the last whole shard"
            ) from None
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _first_done(pending: "set[Future[Report]]") -> "tuple[Report, set[Future[Report]]]":
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    first = done.pop()
    return first.result(), pending - {first}


def _on_ray(jobs: Iterable[Job], address: str) -> Iterator[Report]:
    """Ray tasks; source and store must lie on a file system that all nodes share."""
    import ray

    if not ray.is_initialized():
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    remote = ray.remote(num_cpus=1)(write_shard)

    def first(pending: set[Any]) -> tuple[Report, set[Any]]:
        done, _ = ray.wait(list(pending), num_returns=1)
        return ray.get(done[0]), pending - {done[0]}

    window = IN_FLIGHT_PER_WORKER * max(1, int(ray.cluster_resources().get("CPU", 1)))
    yield from _windowed(jobs, lambda job: remote.remote(*job), first, window)


def _windowed(
    jobs: Iterable[Job], submit: Callable[[Job], Any], first: Callable[[set[Any]], tuple[Report, set[Any]]], window: int
) -> Iterator[Report]:
    """Keeps a bounded number of jobs under way, so that memory does not grow with the data set."""
    pending: set[Any] = set()
    for job in jobs:
        pending.add(submit(job))
        if len(pending) >= window:
            report, pending = first(pending)
            yield report
    while pending:
        report, pending = first(pending)
        yield report
