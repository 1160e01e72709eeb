"""Tells the tracker what trainings write while they run: their curves, and the load of their machines."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError
from bench.study.steps.watch import CURVE, SYSTEM
from bench.track.machine.samples import Point, SystemFiles
from bench.track.machine.tail import Tail
from bench.track.tracker import Tracker

EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class _Training:
    """The files of one training, as far as one run has heard of them."""

    curve: Tail
    system: SystemFiles

    @classmethod
    def in_folder(cls, folder: Path) -> "_Training":
        return cls(Tail(folder / CURVE), SystemFiles(folder / SYSTEM))

    def new_points(self) -> Iterator[Point]:
        for line in self.curve.lines():
            time, step = line.pop("time", 0.0), line.pop("iteration")
            yield time, step, {f"train/{name}": value for name, value in line.items()}
        yield from self.system.new_points()


class Follow:
    """Follows the training of each run that was added until its end; several runs may share a training."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._trainings: dict[str, _Training] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send_now_and_then, name="follow", daemon=True)
        self._thread.start()

    def add(self, run_id: str, folder: Path) -> None:
        with self._lock:
            self._trainings[run_id] = _Training.in_folder(folder)

    def end(self, run_id: str) -> dict[str, float]:
        """Sends the rest; what the training took of its machines, as far as it is known."""
        with self._lock:
            training = self._trainings.pop(run_id)
            self._tracker.log_points(run_id, training.new_points())
            return training.system.cost()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _send_now_and_then(self) -> None:
        # A journal that cannot be written ends the study in its own thread, with one line; here it is enough to stop.
        with suppress(UserError):
            while not self._stop.wait(EVERY_SECONDS):
                with self._lock:
                    for run_id, training in self._trainings.items():
                        self._tracker.log_points(run_id, training.new_points())
