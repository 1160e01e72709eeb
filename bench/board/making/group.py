"""The rows of one study under one profile: its seeds put together, its baseline subtracted, its paper beside it."""

import json
import math
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bench.board.board import Estimate, Picture, Row, Run
from bench.board.making.curves import mean_of
from bench.board.making.estimate import Array, Measured, difference, over_seeds
from bench.board.making.ranking import clearly_better
from bench.board.metrics import is_column, metric_of
from bench.track.record import ONLY_PRINTED, RunRecord, StudyRecord

MADE_WITH = (
    "variant",
    "data_fingerprint",
    "train_fingerprint",
    "git_revision",
    "hardware",
    "versions",
    "python",
    "platform",
    "digest",
)
PRINTED = "published"
"""the status of a row that only a paper has"""


@dataclass(frozen=True)
class Extras:
    """What belongs to a run but is no number of it: curves, pictures, the address of its page."""

    curves: Mapping[str, Any] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()
    url: str = ""


class Group:
    """The rows of one study under one profile."""

    def __init__(
        self,
        group: tuple[str, str],
        runs: Sequence[RunRecord],
        study: StudyRecord | None,
        published: Sequence[RunRecord],
        extras: Mapping[str, Extras],
        metric: str,
    ) -> None:
        self.study, self.profile = group
        self.extras, self.metric = extras, metric
        self.published = {record.row: record for record in published if record.study == self.study}
        self.runs: dict[str, list[RunRecord]] = defaultdict(list)
        for record in runs:
            self.runs[record.row].append(record)
        self.names = list(dict.fromkeys([*_order(study), *self.runs, *self.published]))
        named = study.params.get("baseline", "") if study else ""
        self.baseline = named or next(iter(self.names), "")
        self.numbers = {row: _numbers(runs, self.extras) for row, runs in self.runs.items()}

    def rows(self) -> list[Row]:
        rows = [self._row(name) for name in self.names]
        ranked = sorted((row for row in rows if self.metric in row.values), key=self._quality)
        rest = [row for row in rows if self.metric not in row.values]
        return [*self._with_ranks(ranked), *rest]

    def _quality(self, row: Row) -> float:
        """Best first; a value that is no number comes last."""
        value = row.values[self.metric].value * (metric_of(self.metric).better or 1)
        return -value if value == value else float("inf")

    def _with_ranks(self, rows: list[Row]) -> list[Row]:
        if not rows:
            return []
        wins = clearly_better([self.numbers[row.name][self.metric] for row in rows], metric_of(self.metric).better or 1)
        first, last = 1 + wins.sum(axis=0), len(rows) - wins.sum(axis=1)
        return [replace(row, rank=int(a), last_rank=int(z)) for row, a, z in zip(rows, first, last, strict=True)]

    def _row(self, name: str) -> Row:
        runs = sorted(self.runs.get(name, []), key=lambda run: (run.seed is None, run.seed))
        told = runs[-1] if runs else None
        numbers, base = self.numbers.get(name, {}), self.numbers.get(self.baseline, {})
        published, base_published = self._published(name), self._published(self.baseline)
        compared = {} if name == self.baseline else numbers
        status, reason = _status(runs)
        only_printed = not runs and name in self.published and ONLY_PRINTED in self.published[name].tags
        return Row(
            name=name,
            study=self.study,
            profile=self.profile,
            is_baseline=name == self.baseline,
            only_printed=only_printed,
            about=told.tags.get("about", "") if told else "",
            status=PRINTED if only_printed else status,
            reason=reason,
            runs=tuple(self._run(run) for run in runs),
            values={metric: over_seeds(measured) for metric, measured in numbers.items()},
            changes={m: self._change(name, m, own, base[m]) for m, own in compared.items() if m in base},
            published=published,
            published_changes=_minus(published, base_published) if name != self.baseline else {},
            paper=_paper(self.published.get(name)),
            params=told.params if told else {},
            config_difference=self._config_difference(told),
            made_with={key: told.tags[key] for key in MADE_WITH if told.tags.get(key)} if told else {},
            command=self._command(name, told) if told else "",
            curves=self._curves(runs),
            pictures=next((self.extras[r.run_id].pictures for r in runs if r.run_id in self.extras), ()),
        )

    def _run(self, run: RunRecord) -> Run:
        url = self.extras[run.run_id].url if run.run_id in self.extras else ""
        hours = (run.ended - run.started) / 3600 if run.ended and run.started else None
        return Run(run.seed, run.status, run.reason, run.run_id, url, hours)

    def _change(self, name: str, metric: str, own: Measured, base: Measured) -> Estimate:
        return difference(own, base, _measured(self.runs[name], f"diff/{metric}"))

    def _published(self, name: str) -> dict[str, float]:
        return dict(self.published[name].metrics) if name in self.published else {}

    def _config_difference(self, run: RunRecord | None) -> dict[str, tuple[str, str]]:
        base = next(iter(self.runs.get(self.baseline, [])), None)
        if run is None or base is None or run.row == self.baseline:
            return {}
        keys = [key for key in {**base.params, **run.params} if base.params.get(key) != run.params.get(key)]
        return {key: (base.params.get(key, "–"), run.params.get(key, "–")) for key in sorted(keys)}

    def _command(self, name: str, run: RunRecord) -> str:
        profile = ["--profile", self.profile] if self.profile else []
        return run.tags.get("command") or shlex.join(["locbench", "run", self.study, *profile, "--rows", name])

    def _curves(self, runs: Sequence[RunRecord]) -> dict[str, Any]:
        """The mean over seeds; resamples are for intervals and are not shown."""
        found = [self.extras[run.run_id].curves for run in runs if run.run_id in self.extras and run.status == "done"]
        shown = [{name: part for name, part in curves.items() if name != "resamples"} for curves in found if curves]
        mean: dict[str, Any] = mean_of(shown) if shown else {}
        return mean


def _order(study: StudyRecord | None) -> list[str]:
    """The rows in the order of the study file."""
    try:
        names = json.loads(study.params.get("rows", "[]")) if study else []
    except ValueError:
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _numbers(runs: Sequence[RunRecord], extras: Mapping[str, Extras]) -> dict[str, Measured]:
    """Every metric of a row; runs that did not end well have no say."""
    done = [run for run in runs if run.status == "done"]
    names = dict.fromkeys(name for run in done for name in run.metrics if is_column(name))
    drawn = _drawn(done, extras)
    found = {name: _measured(done, name, *drawn.get(name, ())) for name in names}
    return {name: one for name, one in found.items() if one is not None}


def _measured(runs: Sequence[RunRecord], name: str, resamples: Array | None = None, draw: str = "") -> Measured | None:
    values, lows, highs = (
        {
            run.seed: run.metrics[key]
            for run in runs
            if run.status == "done" and math.isfinite(run.metrics.get(key, math.nan))
        }
        for key in (name, f"{name}.low", f"{name}.high")
    )
    return Measured(values, lows, highs, resamples, draw) if values else None


def _drawn(runs: Sequence[RunRecord], extras: Mapping[str, Extras]) -> dict[str, tuple[Array, str]]:
    """Metrics on resampled images and the name of the draw: the mean over seeds, if all drew the same images."""
    parts = [extras[run.run_id].curves.get("resamples", {}) for run in runs if run.run_id in extras]
    if not parts or len(parts) != len(runs) or len({part.get("key") for part in parts}) != 1:
        return {}
    shared = [name for name in parts[0] if name != "key" and all(name in part for part in parts)]
    drawn = {name: _mean_draw([part[name] for part in parts]) for name in shared}
    return {name: (draw, f"{parts[0].get('key')} {draw.size}") for name, draw in drawn.items() if draw is not None}


def _mean_draw(draws: list[list[float]]) -> Array | None:
    if len({len(draw) for draw in draws}) != 1:
        return None
    mean: Array = np.array(draws, dtype=np.float64).mean(axis=0)
    return mean if mean.size > 1 and np.isfinite(mean).all() else None


def _status(runs: Sequence[RunRecord]) -> tuple[str, str]:
    """One word if all seeds ended alike, otherwise how many ended how; and the reasons, each once."""
    counts = Counter(run.status for run in runs)
    reasons = "; ".join(dict.fromkeys(run.reason for run in runs if run.reason))
    if len(counts) > 1:
        return ", ".join(f"{count} {status}" for status, count in counts.items()), reasons
    return next(iter(counts), "not run"), reasons


def _minus(row: Mapping[str, float], base: Mapping[str, float]) -> dict[str, float]:
    return {name: value - base[name] for name, value in row.items() if name in base}


def _paper(record: RunRecord | None) -> dict[str, str]:
    names = ("paper", "table", "schedule", "footnote")
    return {name: record.tags[name] for name in names if record.tags.get(name)} if record else {}
