"""Localisation-recall-precision error, 0 perfect and 1 useless, at the score threshold best for each class."""

from dataclasses import dataclass

import numpy as np

from bench.score.protocols.coco import ABSENT
from bench.score.protocols.matching import Matches

THRESHOLD = 0.5


@dataclass(frozen=True)
class Lrp:
    """Of one class at its best threshold; -1 where the class has no objects."""

    error: float
    localisation: float
    """mean of 1 - IoU over the right detections; NaN without any"""
    false_positive: float
    """1 - precision; NaN without detections"""
    false_negative: float
    """1 - recall"""
    score: float
    """the threshold: detections of at least this score are kept; NaN to keep none"""


NOTHING = Lrp(ABSENT, ABSENT, ABSENT, ABSENT, float("nan"))


def optimal_lrp(matches: Matches, iou: np.ndarray, weights: np.ndarray | None = None) -> list[Lrp]:
    """One a class, from matches at IoU 0.5 and their `true_iou`."""
    w = np.ones(matches.num_images) if weights is None else weights
    positives = np.bincount(matches.positive_label, w[matches.positive_image], matches.num_classes)
    return [_of_class(matches, iou, w, label, positives[label]) for label in range(matches.num_classes)]


def mean_lrp(classes: list[Lrp]) -> dict[str, float]:
    """oLRP and its parts, each the mean over the classes that have it."""
    present = [c for c in classes if c.error > ABSENT]
    names = {"oLRP": "error", "oLRP_loc": "localisation", "oLRP_fp": "false_positive", "oLRP_fn": "false_negative"}
    metrics = {}
    for name, field in names.items():
        values = np.array([getattr(c, field) for c in present])
        values = values[np.isfinite(values)]
        metrics[name] = float(values.mean()) if len(values) else ABSENT
    return metrics


def _of_class(matches: Matches, iou: np.ndarray, w: np.ndarray, label: int, positives: float) -> Lrp:
    if positives == 0:
        return NOTHING
    own = matches.of_class(label)
    score, right, weight = matches.score[own], matches.true[0, own], w[matches.image[own]] * ~matches.ignored[0, own]
    tp, kept = np.cumsum(weight * right), np.cumsum(weight)
    distance = np.cumsum(weight * right * (1 - iou[own]))
    last_of_score = np.flatnonzero(np.append(np.diff(score) != 0, True)) if len(score) else np.zeros(0, np.int64)
    error = (distance / (1 - THRESHOLD) + (kept - tp) + (positives - tp)) / (kept + positives - tp)
    if not len(last_of_score) or error[last_of_score].min() >= 1:
        return Lrp(1.0, float("nan"), float("nan"), 1.0, float("nan"))
    at = last_of_score[error[last_of_score].argmin()]
    hits = tp[at]
    return Lrp(
        error=float(error[at]),
        localisation=float(distance[at] / hits) if hits else float("nan"),
        false_positive=float(1 - hits / kept[at]) if kept[at] else float("nan"),
        false_negative=float(1 - hits / positives),
        score=float(score[at]),
    )
