"""Tells the tracker of a study: a run a cell, opened before the work, followed, closed with its numbers and files."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from bench.data.store import Store
from bench.errors import Interrupted, UserError
from bench.study.definition.published import published_rows
from bench.study.definition.spec import Skipped, Study
from bench.study.running.state import CellState
from bench.study.steps.album import TRAINING
from bench.study.steps.cache import StepCache
from bench.study.steps.graph import Cell, Splits, data_digest
from bench.study.steps.provenance import CHANGES, ENVIRONMENT, left_provenance, provenance
from bench.study.steps.work import CURVES, DETECTIONS, GALLERY, PLOTS, RAW
from bench.study.telling import redo
from bench.study.telling.follow import Follow
from bench.track.record import DataSet, RunRecord, Status
from bench.track.tracker import Tracker
from bench.train.job import WEIGHTS
from bench.train.weights.first import NOTE as FIRST_WEIGHTS

FORM, FORM_TAG = "3", "record_form"
"""Raised when a record gets more in it: runs with less are then told again."""


class Recorder:
    """Speaks for one study under one profile; leaves no run open, whatever happens."""

    def __init__(self, tracker: Tracker, study: Study, cache: StepCache, splits: Mapping[str, Splits]) -> None:
        self.tracker, self.study, self.cache, self.splits = tracker, study, cache, splits
        rows = [row.name for row in study.rows] + [row.name for row in study.skipped]
        params = {"baseline": study.baseline, "rows": rows, "metric": "AP", "protocol": study.protocol}
        self._own_key = tracker.start_study(study.name, study.profile, study.title, params)
        tracker.tag(self._own_key, provenance())
        tracker.artifact(self._own_key, study.file)
        if study.published is not None:
            tracker.publish(study.name, published_rows(study.published))
        self._keys: dict[str, str] = {}
        self._endings: dict[str, str] = {}
        self._follow = Follow(tracker)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """A run of the study that was broken off leaves cells without an end."""
        self._follow.close()
        stopped = isinstance(error, KeyboardInterrupt | Interrupted)
        for title, key in self._keys.items():
            if title not in self._endings:
                self.tracker.finish(key, "interrupted" if stopped else "failed", str(error or "not reached"))
                self._endings[title] = "interrupted"
        bad = [title for title, status in self._endings.items() if status not in ("done", "stopped", "skipped")]
        status: Status = "interrupted" if stopped else "failed" if error or bad else "done"
        reason = str(error) if error else f"{len(bad)} of {len(self._endings)} cells failed" if bad else ""
        self.tracker.finish(self._own_key, status, reason)

    def open(self, plan: Sequence[Cell]) -> None:
        """Opens the run of every cell; the same cell finds its run again, and is left alone if nothing is to add."""
        told = self._told()
        for row in self.study.skipped:
            self._skip(row, told.get((row.name, self.study.seeds[0])))
        for cell in plan:
            if self._is_told(cell, told.get((cell.row.name, cell.seed))):
                self._endings[cell.title] = _ending(cell)
            else:
                self._keys[cell.title] = self._open(cell)
                self._endings.pop(cell.title, None)  # of a search: a row that had stopped goes on

    def finished(self, cell: Cell, state: CellState) -> None:
        """Closes a cell's run with what it ended with."""
        assert state.finished
        if cell.title not in self._keys:
            return
        key, status = self._keys[cell.title], state.status
        load = self._follow.end(key)
        if status in ("done", "stopped"):
            self._keep_files(cell, key)
        self.tracker.tag(key, self._made(cell) | {FORM_TAG: FORM})
        self.tracker.finish(key, status, state.reason, load | state.metrics)  # type: ignore[arg-type]
        self._endings[cell.title] = status

    def tell(self, ended: Iterable[tuple[Cell, CellState]]) -> None:
        """Of cells that had ended before this run: of a search, where each trial came to in the end."""
        untold = [(cell, state) for cell, state in ended if self._endings.get(cell.title) != state.status]
        self.open([cell for cell, _ in untold])
        for cell, state in untold:
            self.finished(cell, state)

    def _skip(self, row: Skipped, record: RunRecord | None) -> None:
        """A row that cannot run is a row with a reason. Once it can, its first seed takes this run's place."""
        if record is None or (record.status, record.reason) != ("skipped", row.reason):
            study, tags = self.study, {"about": row.about}
            seed, about = study.seeds[0], row.about
            key = self.tracker.start_row(study.name, row.name, seed, {}, tags, profile=study.profile, about=about)
            self.tracker.finish(key, "skipped", row.reason)

    def _told(self) -> dict[tuple[str, int | None], RunRecord]:
        try:
            records = self.tracker.records(self.study.name, self.study.profile)
        except UserError:  # a server that is away; it will be told all when it is back
            return {}
        return {(record.row, record.seed): record for record in records if record.source == "measured"}

    def _is_told(self, cell: Cell, record: RunRecord | None) -> bool:
        if record is None or record.status != _ending(cell) or not self.cache.done(cell.score):
            return False
        same = {"digest": cell.score.digest, FORM_TAG: FORM, "about": cell.row.about}
        return all(record.tags.get(name, "") == text for name, text in same.items())

    def _open(self, cell: Cell) -> str:
        row, study, train = cell.row, self.study, cell.steps[0]
        splits = self.splits[data_digest(row)]
        tags = {
            **(self._made(cell) or ({} if self.cache.done(train) else provenance())),
            "data_fingerprint": splits.val_fingerprint,
            "train_fingerprint": splits.train_fingerprint,
            "variant": row.variant,
            "about": row.about,
            "train_step": train.name,
            "command": redo.command(study, row),
        }
        key = self.tracker.start_row(
            study.name,
            row.name,
            cell.seed,
            dict(redo.flat(row.tree)),
            tags,
            profile=study.profile,
            digest=cell.score.digest,
            about=redo.words(study, row),
            data=_data_sets(splits, row.recipe.data.kind),
        )
        self.tracker.text(key, "config.yaml", redo.as_study_file(study, row))
        self._follow.add(key, self.cache.folder(train))
        return key

    def _keep_files(self, cell: Cell, key: str) -> None:
        train, predict, score = map(self.cache.folder, cell.steps)
        files = [score / name for name in (CURVES, DETECTIONS, GALLERY, PLOTS)]
        left = [train / name for name in (FIRST_WEIGHTS, ENVIRONMENT, CHANGES, TRAINING)]
        for path in (*files, predict / RAW, *left):
            if path.exists():
                self.tracker.artifact(key, path, steady=True)
        self.tracker.model(key, f"{cell.row.name} · seed {cell.seed}", train / WEIGHTS)

    def _made(self, cell: Cell) -> dict[str, str]:
        """How the training was made, and in what the steps after it differ from that."""
        train, *later = ((step.kind, left_provenance(self.cache.folder(step))) for step in cell.steps)
        tags = dict(train[1])
        for kind, made in later:
            tags |= {f"{kind}.{name}": text for name, text in made.items() if text != train[1].get(name)}
        return tags


def _ending(cell: Cell) -> Status:
    """How a cell ends if all goes well."""
    return "stopped" if cell.row.stops_early else "done"


def _data_sets(splits: Splits, kind: str) -> list[DataSet]:
    return [_data_set(splits.train, kind, "training"), _data_set(splits.val, kind, "evaluation")]


@cache
def _data_set(path: str, kind: str, use: Literal["training", "evaluation"]) -> DataSet:
    store = Store.open(Path(path))
    counts = store.manifest.counts
    profile: dict[str, Any] = {"images": counts.images, "objects": counts.boxes, "classes": list(store.class_names)}
    return DataSet(
        name=f"{kind}/{store.manifest.split}", use=use, fingerprint=store.fingerprint, source=path, profile=profile
    )
