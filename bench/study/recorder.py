"""Tells the tracker of a study: one run a cell, opened before the work and closed with its numbers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.study.cache import StepCache
from bench.study.graph import Cell, Splits, data_digest
from bench.study.provenance import provenance
from bench.study.spec import Study
from bench.study.state import CellState
from bench.study.work import CURVES, DETECTIONS, GALLERY
from bench.track.record import Published
from bench.track.tracker import Tracker

PERCENT = 100.0
IN_PERCENT = re.compile(r"A[PR](\d+|[sml])?$")
"""Metrics that papers print in percent."""
ARTIFACTS = (CURVES, DETECTIONS, GALLERY)


class Recorder:
    """Speaks for one study under one profile."""

    def __init__(self, tracker: Tracker, study: Study, cache: StepCache, splits: Mapping[str, Splits]) -> None:
        self.tracker, self.study, self.cache, self.splits = tracker, study, cache, splits
        params = {"baseline": study.baseline, "rows": [row.name for row in study.rows], "metric": "AP"}
        tracker.start_study(study.name, study.profile, study.title, params)
        self._publish()

    def open(self, plan: Sequence[Cell]) -> None:
        """Opens the run of every cell; the same cell finds its run again."""
        self._keys = {cell.title: self._open(cell) for cell in plan}

    def key(self, cell: Cell) -> str:
        return self._keys[cell.title]

    def finished(self, cell: Cell, state: CellState) -> None:
        """Closes a cell's run with what it ended with."""
        assert state.finished
        if state.status == "done":
            for name in ARTIFACTS:
                self.tracker.artifact(self.key(cell), self.cache.folder(cell.score) / name)
        self.tracker.finish(self.key(cell), state.status, state.reason, state.metrics)  # type: ignore[arg-type]

    def _open(self, cell: Cell) -> str:
        splits = self.splits[data_digest(cell.row)]
        tags = {
            **provenance(),
            "data_fingerprint": splits.val_fingerprint,
            "train_fingerprint": splits.train_fingerprint,
            "variant": cell.row.variant,
            "about": cell.row.about,
            "train_step": cell.steps[0].name,
        }
        study = self.study
        params = dict(flat(cell.row.tree))
        return self.tracker.start_row(
            study.name, cell.row.name, cell.seed, params, tags, profile=study.profile, digest=cell.score.digest
        )

    def _publish(self) -> None:
        published = self.study.published
        if published is None:
            return
        rows = [
            Published(
                row=row,
                metrics={
                    name: number / PERCENT if IN_PERCENT.match(name) else number for name, number in numbers.items()
                },
                paper=published.paper,
                table=published.table,
                footnote=published.note,
            )
            for row, numbers in published.rows.items()
        ]
        self.tracker.publish(self.study.name, rows)


def flat(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a tree by dotted path."""
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from flat(value, f"{path}.{key}" if path else key)
    else:
        yield path, tree
