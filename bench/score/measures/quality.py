"""How well ranking scores and predicted qualities know the true IoU (IoU-Net fig. 2, DIR fig. 4, PAA table 2).

As in these figures, a detection's true IoU is that with the object of its class it overlaps most, whoever else found
that object, and only detections with an IoU above 0.5 are looked at. Crowd regions are no objects.
"""

from dataclasses import dataclass

import numpy as np

from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from bench.score.tables.pairs import overlapping

NEAR = 0.5
UNDEFINED = float("nan")


@dataclass(frozen=True)
class BestIou:
    """Of every detection: the object of its class that it overlaps most, -1 for none, and the IoU."""

    target: np.ndarray
    iou: np.ndarray


def best_iou(truth: GroundTruth, detections: Detections, min_iou: float = 1e-12) -> BestIou:
    """Overlaps below `min_iou` count as none."""
    target, iou = np.full(len(detections), -1), np.zeros(len(detections))
    pairs = overlapping(truth, detections, min_iou=min_iou)
    pairs = pairs.select(~truth.iscrowd[pairs.truth])
    pairs = pairs.select(np.lexsort((pairs.iou, pairs.detection)))
    target[pairs.detection], iou[pairs.detection] = pairs.truth, pairs.iou
    return BestIou(target, iou)


def summarize(truth: GroundTruth, detections: Detections) -> dict[str, float]:
    """Pearson and Spearman correlation of score and of each quality with the IoU, and the error of a predicted IoU."""
    best = best_iou(truth, detections, NEAR)
    near = best.iou > NEAR
    iou = best.iou[near]
    columns = believed(detections)
    metrics = {}
    for name, values in columns.items():
        metrics[f"pearson_iou_{name}"] = pearson(values[near], iou)
        metrics[f"spearman_iou_{name}"] = spearman(values[near], iou)
    if "iou" in detections.quality:
        metrics["iou_pred_error"] = mean_error(detections.quality["iou"][near], iou)
    return metrics


def believed(detections: Detections) -> dict[str, np.ndarray]:
    """All that a detector said of its boxes: ranking score, class score, and the predicted qualities."""
    known = {"score": detections.scores} | ({} if detections.cls is None else {"cls": detections.cls})
    return known | {f"pred_{name}": values for name, values in detections.quality.items()}


def pearson(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> float:
    """NaN for fewer than two points, or when one side does not vary."""
    w = np.ones(len(x)) if weights is None else weights
    total = w.sum()
    if total < 2:
        return UNDEFINED
    dx, dy = x - (w * x).sum() / total, y - (w * y).sum() / total
    spread = np.sqrt((w * dx * dx).sum() * (w * dy * dy).sum())
    return float((w * dx * dy).sum() / spread) if spread > 1e-12 * total else UNDEFINED


def spearman(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Pearson's correlation of the ranks; equal values share their mean rank."""
    w = np.ones(len(x)) if weights is None else weights
    return pearson(_mean_ranks(x, w), _mean_ranks(y, w), w)


def mean_error(predicted: np.ndarray, iou: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean absolute difference."""
    w = np.ones(len(iou)) if weights is None else weights
    return float((w * np.abs(predicted - iou)).sum() / w.sum()) if w.sum() > 0 else UNDEFINED


def _mean_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Ranks as if every value were there `weights` times."""
    _, group = np.unique(values, return_inverse=True)
    size = np.bincount(group, weights, group.max() + 1 if len(group) else 0)
    ranks: np.ndarray = (np.cumsum(size) - size / 2)[group]
    return ranks
