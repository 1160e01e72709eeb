"""Does a score of 0.8 mean what it says? Localisation-aware calibration (LaECE) and reliability.

A detection's score should be the precision of such detections times the mean IoU of the right ones among them: that is
its expected IoU, if a wrong one counts as zero. LaECE is the mean distance from that, over bins of the score.
"""

from dataclasses import dataclass

import numpy as np

from bench.score.protocols.matching import Matches
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from bench.score.tables.pairs import paired_iou

BINS = 25


@dataclass(frozen=True)
class Reliability:
    """By bin of the score, NaN where a bin is empty."""

    edges: np.ndarray
    score: np.ndarray
    precision: np.ndarray
    iou: np.ndarray
    """mean over the right detections"""
    count: np.ndarray

    @property
    def achieved(self) -> np.ndarray:
        """precision times mean IoU: the expected IoU"""
        product: np.ndarray = self.precision * np.nan_to_num(self.iou)
        return product

    @property
    def error(self) -> float:
        """The mean distance of score and expected IoU over all detections; NaN without any."""
        filled = self.count > 0
        if not filled.any():
            return float("nan")
        gap = np.abs(self.score - self.achieved)[filled]
        return float((gap * self.count[filled]).sum() / self.count.sum())


def true_iou(truth: GroundTruth, detections: Detections, matches: Matches, row: int = 0) -> np.ndarray:
    """[D] IoU of each right detection with its object, 0 for others."""
    iou = np.zeros(len(matches.detection))
    right = np.flatnonzero(matches.true[row])
    iou[right] = paired_iou(truth, detections, matches.detection[right], matches.matched[row, right])
    return iou


def reliability(
    score: np.ndarray, right: np.ndarray, iou: np.ndarray, bins: int = BINS, weights: np.ndarray | None = None
) -> Reliability:
    """Of detections that count: their score, whether they are right, and the IoU of those that are."""
    w = np.ones(len(score)) if weights is None else weights
    edges = np.linspace(0, 1, bins + 1)
    which = np.clip((score * bins).astype(np.int64), 0, bins - 1)
    count, hits = np.bincount(which, w, bins), np.bincount(which, w * right, bins)
    return Reliability(
        edges,
        _ratio(np.bincount(which, w * score, bins), count),
        _ratio(hits, count),
        _ratio(np.bincount(which, w * right * iou, bins), hits),
        count,
    )


def laece(matches: Matches, iou: np.ndarray, bins: int = BINS, weights: np.ndarray | None = None) -> float:
    """The mean over classes of each one's calibration error, in 0..1; classes without detections are left out.

    `iou` is the `true_iou` of the matches.
    """
    w = np.ones(matches.num_images) if weights is None else weights
    counted = w[matches.image] * ~matches.ignored[0]
    values = []
    for label in range(matches.num_classes):
        own = matches.of_class(label)
        values.append(reliability(matches.score[own], matches.true[0, own], iou[own], bins, counted[own]).error)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def overall_reliability(truth: GroundTruth, detections: Detections, matches: Matches, bins: int = 10) -> Reliability:
    """All classes together, for a diagram."""
    counts = ~matches.ignored[0]
    iou = true_iou(truth, detections, matches)
    return reliability(matches.score[counts], matches.true[0][counts], iou[counts], bins)


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.divide(a, b, out=np.full(len(b), np.nan), where=b > 0)
