"""Detections by their IoU with what they found: who survives suppression, how scores follow IoU.

IoU-Net fig. 3 and 7, IoU-balanced losses fig. 3.
"""

from dataclasses import dataclass

import numpy as np

from bench.score.measures.quality import NEAR, best_iou
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth

EDGES = np.linspace(0.5, 1.0, 11)


@dataclass(frozen=True)
class Binned:
    """One value a bin; `count` says on how many detections or objects it rests."""

    edges: np.ndarray
    values: np.ndarray
    count: np.ndarray

    def rows(self) -> list[dict[str, float]]:
        columns = zip(self.edges[:-1], self.edges[1:], self.values, self.count, strict=True)
        return [{"low": lo, "high": hi, "value": v, "count": int(n)} for lo, hi, v, n in columns]


def object_iou(truth: GroundTruth, detections: Detections) -> np.ndarray:
    """[G] the highest IoU of any detection that goes for the object; NaN for crowds, which nobody need find.

    As in IoU-Net, a detection goes for the object of its class that it overlaps most, and only the best one counts.
    """
    best = best_iou(truth, detections)
    found = np.zeros(len(truth))
    hit = best.target >= 0
    np.maximum.at(found, best.target[hit], best.iou[hit])
    return np.where(truth.iscrowd, np.nan, found)


def positives_by_iou(found: np.ndarray, edges: np.ndarray = EDGES) -> Binned:
    """Positive boxes, at most one an object, by the bin of their IoU (IoU-Net fig. 3), from `object_iou`."""
    count, _ = np.histogram(found[~np.isnan(found)], edges)
    return Binned(edges, count.astype(np.float64), count)


def recall_by_iou(found: np.ndarray, thresholds: np.ndarray = EDGES[:-1]) -> np.ndarray:
    """The share of objects with a detection of at least each IoU (IoU-Net fig. 7), from `object_iou`."""
    iou = found[~np.isnan(found)]
    if not len(iou):
        return np.full(len(thresholds), np.nan)
    share: np.ndarray = (iou[:, None] >= thresholds).mean(0)
    return share


def mean_score_by_iou(
    truth: GroundTruth, detections: Detections, values: np.ndarray | None = None, edges: np.ndarray = EDGES
) -> Binned:
    """The mean of scores, or of other values, over the detections of every IoU bin (IoU-balanced losses fig. 3a)."""
    iou = best_iou(truth, detections, edges[0]).iou
    count, _ = np.histogram(iou, edges)
    total, _ = np.histogram(iou, edges, weights=detections.scores if values is None else values)
    mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return Binned(edges, mean, count)


def share_above_iou(truth: GroundTruth, detections: Detections, thresholds: np.ndarray = EDGES[:-1]) -> np.ndarray:
    """Of the detections with an IoU above 0.5, the share above each threshold (IoU-balanced losses fig. 3b)."""
    iou = best_iou(truth, detections, NEAR).iou
    iou = iou[iou > NEAR]
    if not len(iou):
        return np.full(len(thresholds), np.nan)
    share: np.ndarray = (iou[:, None] > thresholds).mean(0)
    return share
