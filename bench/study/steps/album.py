"""What a training leaves besides its weights: how anchors are assigned, how hard the box loss pulls, what it gains."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.store import Store
from bench.score.pictures.training import (
    Pull,
    assignment_over_training,
    gradient_by_error,
    positives_over_training,
    regression_gains,
)
from bench.study.steps.watch import CURVE, CURVE_POINTS
from bench.train.job import Job
from bench.train.loop import Training
from bench.train.records import StepRecord
from bench.train.watching.gains import GivenBoxes
from bench.train.watching.observe import EDGES, Observer
from bench.train.watching.snapshot import Camera

SEEN, SNAPSHOTS, GAINS, TRAINING = "assignment.jsonl", "snapshots.jsonl", "gains.jsonl", "training"
MOMENTS = (0.0, 0.03, 0.1, 0.3, 1.0)
"""When snapshots are taken and boxes given, as shares of the run."""
POSITIVES = "positives_per_object"


class Album:
    """Writes what it sees into the folder of a training; `draw_album` makes pictures of it."""

    def __init__(self, folder: Path, job: Job) -> None:
        self.folder, self.job = folder, job

    def begin(self, training: Training) -> None:
        """Before the first step of a run, new or resumed."""
        every = max(training.config.log_every, training.total // CURVE_POINTS)
        self._training, self._observer = training, Observer(training, every)
        store = Store.open(Path(self.job.store))
        self._camera, self._boxes = Camera(store, self.job.input), GivenBoxes(store, self.job.input)
        self._due = [moment for moment in _moments(training.total) if moment > training.iteration]

    def step(self, record: StepRecord) -> None:
        """After each step, once its losses are known."""
        for seen in self._observer.flush():
            _append(self.folder / SEEN, asdict(seen))
            point = {"time": time.time(), "iteration": seen.iteration, POSITIVES: seen.positives_per_object}
            _append(self.folder / CURVE, point)
        if self._due and record.iteration >= self._due[0]:
            self._due = [moment for moment in self._due if moment > record.iteration]
            model, iteration = self._training.model, self._training.iteration
            looks = {SNAPSHOTS: self._camera.take(model, iteration), GAINS: self._boxes.to(model, iteration)}
            for name, look in looks.items():
                if look is not None:
                    _append(self.folder / name, asdict(look))


def draw_album(folder: Path, store: Path, name: str = "training") -> None:
    """Pictures of what a training left, into a folder in it."""
    seen = _last_of_each_iteration(folder / SEEN)
    if seen:
        points = [(one["iteration"], one["positives"] / max(one["objects"], 1)) for one in seen]
        positives_over_training({name: points}).save(folder / TRAINING / "positives_per_object")
        gradient_by_error(pulls(folder, name)).save(folder / TRAINING / "gradient_by_error")
    shots = _last_of_each_iteration(folder / SNAPSHOTS)
    if shots:
        pixels = _pixels(Store.open(store), shots[-1]["row"])
        assignment_over_training(pixels, shots).save(folder / TRAINING / "assignment")
    looks = _last_of_each_iteration(folder / GAINS)
    if looks:
        gains = {f"step {look['iteration']}": np.subtract(look["after"], look["before"]) for look in looks}
        regression_gains(gains).save(folder / TRAINING / "regression_gains")


def pulls(folder: Path, name: str) -> dict[str, Pull]:
    """Of a training's first fifth and of its last."""
    seen = _last_of_each_iteration(folder / SEEN)
    part = max(1, len(seen) // 5)
    return {f"{name}, first fifth": _pull(seen[:part]), f"{name}, last fifth": _pull(seen[-part:])}


def _pull(seen: list[dict[str, Any]]) -> Pull:
    sums, counts = (np.array([one[column] for one in seen], np.float64).sum(0) for column in ("pull", "count"))
    return Pull(np.array(EDGES), sums, counts)


def _moments(total: int) -> list[int]:
    return sorted({max(1, round(share * total)) for share in MOMENTS})


def _append(file: Path, content: dict[str, Any]) -> None:
    with file.open("a") as stream:
        stream.write(json.dumps(content) + "\n")


def _last_of_each_iteration(file: Path) -> list[dict[str, Any]]:
    """A run that went on from a checkpoint has done some steps twice, and the line it was killed at may be half."""
    found = {line["iteration"]: line for line in _lines(file)}
    return [found[iteration] for iteration in sorted(found)]


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    for text in file.read_text().splitlines() if file.is_file() else ():
        try:
            yield json.loads(text)
        except json.JSONDecodeError:
            continue


def _pixels(store: Store, row: int) -> np.ndarray:
    from bench.data.batches.decode import decode

    found = store.row(row)
    return decode(found.image, found.orientation).permute(1, 2, 0).numpy()
