"""Metrics as functions of image weights, made from an evaluation's cached matches: what resampling draws on.

With all weights 1 each gives the metric itself.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.config.suggest import remedy
from bench.errors import UserError
from bench.score.measures import quality
from bench.score.measures.calibration import laece, true_iou
from bench.score.measures.lrp import mean_lrp, optimal_lrp
from bench.score.protocols.coco import ABSENT, MAX_DETECTIONS, SHORT, SINGLE_THRESHOLDS, threshold_index
from bench.score.protocols.matching import Matches, match
from bench.score.protocols.voc import weighted
from bench.score.resampling.weighted_ap import WeightedAP, mean_present
from bench.score.scores import Scores

AREA_OF = {short: area for area, short in SHORT.items()}


@dataclass(frozen=True)
class _Reading:
    """A number of the AP family: the objects it is about, the IoU thresholds, and for recall how many detections."""

    recall: bool
    area: str = "all"
    row: int | None = None
    limit: int = MAX_DETECTIONS[-1]


def _readings() -> dict[str, _Reading]:
    found = {"AP": _Reading(False)}
    found |= {f"AP{percent}": _Reading(False, row=threshold_index(percent)) for percent in SINGLE_THRESHOLDS}
    found |= {f"AP{short}": _Reading(False, area) for short, area in AREA_OF.items()}
    found |= {f"AR{limit}": _Reading(True, limit=limit) for limit in MAX_DETECTIONS}
    found |= {f"AR{short}": _Reading(True, area) for short, area in AREA_OF.items()}
    return found | {f"recall{percent}": _Reading(True, row=threshold_index(percent)) for percent in SINGLE_THRESHOLDS}


READINGS = _readings()
LRP = ("oLRP", "oLRP_loc", "oLRP_fp", "oLRP_fn")
VOC_READINGS = {
    name: reading
    for name, reading in READINGS.items()
    if reading.area == "all" and (not reading.recall or reading.row is not None)
}


class Statistics:
    """Numbers of one evaluation for any image weights; what is costly is made once, when it is first needed."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        self._judges: dict[str, WeightedAP] = {}

    @property
    def num_images(self) -> int:
        return self.scores.truth.num_images

    def names(self) -> list[str]:
        """All metrics that can be resampled."""
        columns = [f"{kind}_iou_{name}" for name in self._columns for kind in ("pearson", "spearman")]
        errors = ["iou_pred_error"] if "iou" in self.scores.detections.quality else []
        return [*(VOC_READINGS | {"AR": None} if self._voc else READINGS), *columns, *errors, *LRP, "LaECE"]

    def values(self, weights: np.ndarray, names: Iterable[str]) -> dict[str, float]:
        """NaN where the resample has nothing to measure."""
        tables: dict[tuple[bool, str, int], np.ndarray] = {}
        return {name: self._value(name, weights, tables) for name in names}

    def check(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.names():
                raise UserError(f"no metric {name!r} in these scores", remedy=remedy(name, self.names()))

    @property
    def _voc(self) -> bool:
        return self.scores.rules.rules == "voc"

    def _value(self, name: str, weights: np.ndarray, tables: dict[tuple[bool, str, int], np.ndarray]) -> float:
        if name in LRP:
            return _none_for_absent(mean_lrp(optimal_lrp(*self._at_half, weights=weights))[name])
        if name == "LaECE":
            return laece(*self._at_half, weights=weights)
        if name in READINGS or name == "AR":
            return self._reading(READINGS.get(name, _Reading(True)), weights, tables)
        return self._quality(name, weights)

    def _reading(
        self, reading: _Reading, weights: np.ndarray, tables: dict[tuple[bool, str, int], np.ndarray]
    ) -> float:
        judge = self._judge(reading.area)
        key = reading.recall, reading.area, reading.limit
        if key not in tables and reading.row is not None and not reading.recall:
            return _none_for_absent(mean_present(judge.ap(weights, [reading.row])))
        if key not in tables:
            tables[key] = self._recall(judge, weights, reading.limit) if reading.recall else judge.ap(weights)
        return _none_for_absent(mean_present(tables[key] if reading.row is None else tables[key][reading.row]))

    def _recall(self, judge: WeightedAP, weights: np.ndarray, limit: int) -> np.ndarray:
        return judge.recall(weights, None if self._voc else limit)

    def _judge(self, area: str) -> WeightedAP:
        if area not in self._judges:
            scores = self.scores
            if self._voc:
                self._judges[area] = weighted(scores.truth, scores.detections, scores.rules)
            elif area == "all":
                self._judges[area] = WeightedAP(scores.matches)
            else:
                found = match(scores.truth, scores.detections, masks=scores.rules.masks, area=area)
                self._judges[area] = WeightedAP(found)
        return self._judges[area]

    @cached_property
    def _at_half(self) -> tuple[Matches, np.ndarray]:
        matches = half_matches(self.scores)
        return matches, true_iou(self.scores.truth, self.scores.detections, matches)

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        return quality.believed(self.scores.detections)

    @cached_property
    def _near(self) -> tuple[np.ndarray, np.ndarray]:
        """The detections with an IoU above 0.5, and their IoU."""
        best = quality.best_iou(self.scores.truth, self.scores.detections, quality.NEAR)
        near = np.flatnonzero(best.iou > quality.NEAR)
        return near, best.iou[near]

    def _quality(self, name: str, weights: np.ndarray) -> float:
        near, iou = self._near
        w = weights[self.scores.detections.image[near]].astype(np.float64)
        if name == "iou_pred_error":
            return quality.mean_error(self.scores.detections.quality["iou"][near], iou, w)
        kind, _, column = name.partition("_iou_")
        measure: Callable[..., float] = quality.pearson if kind == "pearson" else quality.spearman
        return measure(self._columns[column][near], iou, w)


def half_matches(scores: Scores) -> Matches:
    """Matches at IoU 0.5 alone, for calibration, LRP and pictures."""
    return match(scores.truth, scores.detections, thresholds=np.array([0.5]), masks=scores.rules.masks)


def _none_for_absent(value: float) -> float:
    return float("nan") if value == ABSENT else value
