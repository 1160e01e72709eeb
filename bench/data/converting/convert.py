"""Chunks to shards on many processes, or as Ray tasks on a cluster; shards that are there already are kept."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench.data.converting.report import OnError, Report
from bench.data.converting.source import Chunk, Source
from bench.data.processes import IN_FLIGHT_PER_WORKER, run, windowed
from bench.data.store.shards import read_report, shard_path, write_shard
from bench.progress import Task

Job = tuple[Chunk, Path, OnError]


def convert(
    source: Source, folder: Path, on_error: OnError, workers: int | None, on_ray: bool, shard_rows: int
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
        for report in _run(jobs, len(todo), workers or os.cpu_count() or 1, on_ray):
            progress.advance(report.images.seen)
    total = Report(on_error=on_error)
    for number in range(len(starts)):
        total.merge(read_report(shard_path(folder, number)))
    return total


def _run(jobs: Iterable[Job], count: int, workers: int, on_ray: bool) -> Iterator[Report]:
    if on_ray:
        return _on_ray(jobs)
    if min(workers, count) <= 1:
        return (write_shard(*job) for job in jobs)
    return run(write_shard, jobs, min(workers, count))


def _on_ray(jobs: Iterable[Job]) -> Iterator[Report]:
    import ray

    remote = ray.remote(num_cpus=1)(write_shard)

    def first(pending: set[Any]) -> tuple[Report, set[Any]]:
        done, _ = ray.wait(list(pending), num_returns=1)
        return ray.get(done[0]), pending - {done[0]}

    window = IN_FLIGHT_PER_WORKER * max(1, int(ray.cluster_resources().get("CPU", 1)))
    yield from windowed(jobs, lambda job: remote.remote(*job), first, window)
