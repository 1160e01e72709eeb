"""A small study below a storage, and what a run does with it, in this process."""

from pathlib import Path

import torch
from mlflow import MlflowClient
from mlflow.entities import Run

import detectors
from bench.study.definition.spec import Study, load_study
from bench.study.running.state import CellState
from bench.study.steps.cache import StepCache
from bench.study.steps.datasets import prepared_data
from bench.study.steps.graph import Cell, cells
from bench.study.steps.work import do_step, train_step
from bench.study.telling.recorder import Recorder
from bench.track.tracker import Tracker
from bench.train.distributed.workers import Workers

STUDY = """title: A study about nothing
data: {kind: synthetic, preset: tiny, size: 64, train: 8, val: 6}
variant: faster_rcnn_tiny
input: {mode: as_is}
train: {weights: FIRST, epochs: 2, batch_size: 4, lr: 0.01, warmup_iterations: 2, checkpoint_every: 4}
rows:
  base: {}
  strict: {detector.post.score_threshold: 0.1, about: fewer boxes}
  later: {planned: a_variant_of_tomorrow, about: yet to come}
published:
  paper: P
  table: T1
  schedule: 1x
  rows: {base: {AP: 36.4}}
  others: {theirs: {AP: 41.0}}
  notes: {theirs: with more data}
"""


class Place:
    """Whoever makes one does its steps cell by cell; what is done stays done."""

    def __init__(self, root: Path) -> None:
        self.root = root
        torch.save(detectors.build("faster_rcnn_tiny", 3).state_dict(), root / "first.pt")
        (root / "mine.yaml").write_text(STUDY.replace("FIRST", str(root / "first.pt")))
        self.study: Study = load_study(root / "mine.yaml")
        self.cache = StepCache(root / "runs")
        self.splits = prepared_data(self.study, self.cache.root)
        self.plan = cells(self.study, self.splits)

    def work(self, cell: Cell) -> CellState:
        train, predict, score = cell.steps
        folders = [str(self.cache.folder(step)) for step in cell.steps]
        if not self.cache.done(train):
            train_step(train.work, Path(folders[0]), Workers())
        if not self.cache.done(predict):
            do_step(predict, folders[1], folders[:1])
        if not self.cache.done(score):
            do_step(score, folders[2], folders[1:2])
        return CellState(cell.title, "done", metrics=self.cache.result(score)["metrics"])

    def record(self, tracker: Tracker) -> Recorder:
        recorder = Recorder(tracker, self.study, self.cache, self.splits)
        recorder.open(self.plan)
        return recorder

    def runs(self, tracker: Tracker) -> dict[str, Run]:
        client = MlflowClient(tracking_uri=tracker.uri)
        tracker.deliver()
        experiment = client.get_experiment_by_name("mine")
        return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
