"""A function over many arguments on fresh processes.

Not `multiprocessing`: a fork of a process that runs torch or Arrow threads may hang, and its other ways import the
caller's main module again, which scripts without a guard and notebooks do not survive.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import Any, TypeVar

from bench.errors import StepFailed

T = TypeVar("T")
IN_FLIGHT_PER_WORKER = 3


def run(function: Callable[..., T], jobs: Iterable[tuple[Any, ...]], workers: int) -> Iterator[T]:
    """The results in the order in which they come. Jobs are drawn as they are needed: memory stays flat."""
    processes = [_Process() for _ in range(workers)]
    free: SimpleQueue[_Process] = SimpleQueue()
    for process in processes:
        free.put(process)

    def call(job: tuple[Any, ...]) -> Any:
        process = free.get()
        try:
            return process.call(function, job)
        finally:
            free.put(process)

    with ThreadPoolExecutor(workers) as threads:
        try:
            yield from windowed(jobs, lambda job: threads.submit(call, job), _first, workers * IN_FLIGHT_PER_WORKER)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.stop()


def windowed(
    jobs: Iterable[Any],
    submit: Callable[[Any], Any],
    first: Callable[[set[Any]], tuple[T, set[Any]]],
    window: int,
) -> Iterator[T]:
    """Keeps a bounded number of jobs under way; `first` waits for one of those pending and takes it out."""
    pending: set[Any] = set()
    for job in jobs:
        pending.add(submit(job))
        if len(pending) >= window:
            result, pending = first(pending)
            yield result
    while pending:
        result, pending = first(pending)
        yield result


class _Process:
    """One worker and its two pipes."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-m", "bench.data.worker"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def call(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            pickle.dump((function, arguments), self.process.stdin)
            self.process.stdin.flush()
            succeeded, answer = pickle.load(self.process.stdout)
        except (EOFError, OSError):
            raise StepFailed(
                "a worker process was killed (out of memory?); the same command goes on from what is done"
            ) from None
        if not succeeded:
            raise answer
        return answer

    def stop(self) -> None:
        """Ends the process, in the middle of a call too."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def _first(pending: "set[Future[T]]") -> "tuple[T, set[Future[T]]]":
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    future = done.pop()
    return future.result(), pending - {future}
