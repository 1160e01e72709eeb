"""What a training says of itself while it runs: its place in the whole, for the live table, its curve, its load."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.data.store import Store
from bench.study.steps.provenance import leave_provenance
from bench.study.steps.result import PROGRESS, write_json
from bench.track.machine.system import SystemLog
from bench.train.distributed.place import Place
from bench.train.job import Job
from bench.train.records import StepRecord

EVERY_SECONDS = 1.0
CURVE, SYSTEM = "curve.jsonl", "system"
CURVE_POINTS = 200


class Watch:
    """Hears of every step on the first worker; writes at most once a second, and about 200 points of the curve."""

    def __init__(self, folder: Path, store: Store, job: Job) -> None:
        self.folder = folder
        total = job.train.total_iterations(max(1, len(store) // job.train.batch_size))
        self.end = job.train.last_iteration(total)
        self.curve_every = max(1, total // CURVE_POINTS)
        self._said = 0.0

    def __call__(self, record: StepRecord) -> None:
        if record.iteration % self.curve_every == 0:
            speed = {"lr": record.rate, "images_per_second": record.images_per_second}
            point = {
                "time": time.time(), "iteration": record.iteration, "loss": record.total, **record.losses, **speed
            }  # fmt: skip
            with (self.folder / CURVE).open("a") as file:
                file.write(json.dumps(point) + "\n")
        now = time.monotonic()
        if now - self._said >= EVERY_SECONDS:
            self._said = now
            note = f"step {record.iteration}, loss {record.total:.3f}, {record.images_per_second:.0f} images/s"
            fraction = min(1.0, record.iteration / self.end)
            write_json(self.folder / PROGRESS, {"fraction": fraction, "note": note})


@dataclass(frozen=True)
class Surroundings:
    """What every worker leaves beside its training: the load of its machine; and the first, how it was made."""

    folder: Path

    @contextmanager
    def __call__(self, place: Place) -> Iterator[None]:
        if place.rank == 0:
            leave_provenance(self.folder)
        with SystemLog(self.folder / SYSTEM, gpu_of(place)):
            yield


def gpu_of(place: Place) -> str | None:
    """The worker's GPU by the name that NVML has for it, however many of them Ray lets the process see."""
    if place.device.type != "cuda":
        return None
    return f"GPU-{torch.cuda.get_device_properties(place.device).uuid}"
