"""What a training says of itself while it runs: its place in the whole, for the live table, and its curve."""

import json
import time
from pathlib import Path

from bench.data.store import Store
from bench.study.cache import PROGRESS, write_json
from bench.train.job import Job
from bench.train.records import StepRecord

EVERY_SECONDS = 1.0
CURVE = "curve.jsonl"
CURVE_POINTS = 200


class Watch:
    """Hears of every step on the first worker; writes at most once a second, and about 200 points of the curve."""

    def __init__(self, folder: Path, store: Store, job: Job) -> None:
        self.folder = folder
        self.total = job.train.total_iterations(max(1, len(store) // job.train.batch_size))
        self.curve_every = max(1, self.total // CURVE_POINTS)
        self._said = 0.0

    def __call__(self, record: StepRecord) -> None:
        if record.iteration % self.curve_every == 0:
            point = {"iteration": record.iteration, "loss": record.total, **record.losses}
            with (self.folder / CURVE).open("a") as file:
                file.write(json.dumps(point) + "\n")
        now = time.monotonic()
        if now - self._said >= EVERY_SECONDS:
            self._said = now
            note = f"step {record.iteration}, loss {record.total:.3f}, {record.images_per_second:.0f} images/s"
            fraction = min(1.0, record.iteration / self.total)
            write_json(self.folder / PROGRESS, {"fraction": fraction, "note": note})
