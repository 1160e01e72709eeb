"""Progress of long work: a bar with rate and end time on a terminal, plain lines every few seconds elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

T = TypeVar("T")
PLAIN_EVERY_SECONDS = 5.0


class Task:
    """One stretch of work of a known size; use as a context manager and call `advance`."""

    def __init__(self, name: str, total: int, unit: str = "it", stream: TextIO | None = None) -> None:
        self.name, self.total, self.unit = name, total, unit
        self.stream = stream or sys.stderr
        self.done = 0
        self._started = self._last_line = time.monotonic()
        self._bar: Progress | None = None
        self._bar_task: TaskID | None = None

    def __enter__(self) -> "Task":
        if self.stream.isatty():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
            )
            self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(file=self.stream), transient=True)
            self._bar_task = self._bar.add_task(self.name, total=self.total, rate="")
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self.done and self.done == self.total:
            self._print_line()

    def advance(self, count: int = 1) -> None:
        self.done += count
        now = time.monotonic()
        if self._bar is not None and self._bar_task is not None:
            self._bar.update(self._bar_task, completed=self.done, rate=f"{self.rate:.1f} {self.unit}/s")
        elif now - self._last_line >= PLAIN_EVERY_SECONDS and self.done < self.total:
            self._last_line = now
            self._print_line()

    @property
    def rate(self) -> float:
        return self.done / max(time.monotonic() - self._started, 1e-9)

    def _print_line(self) -> None:
        left = (self.total - self.done) / max(self.rate, 1e-9)
        end = f"{left:.0f} s left" if self.done < self.total else f"done in {time.monotonic() - self._started:.1f} s"
        print(
            f"{self.name}: {self.done}/{self.total} {self.unit}, {self.rate:.1f} {self.unit}/s, {end}",
            file=self.stream,
            flush=True,
        )


def track(items: Iterable[T], name: str, total: int, unit: str = "it") -> Iterator[T]:
    with Task(name, total, unit) as task:
        for item in items:
            yield item
            task.advance()
