"""Average precision when every image counts a number of times: what a bootstrap asks for, thousands of times.

With all weights 1 it is the engines' AP to 1e-12 (VOC's, which no engine computes, comes from here). Only detections
that are right can raise the precision envelope: a resample costs one pass over all detections and ten over these.

The copies of an image's detection stay side by side; only among equal scores within one image could they not.
"""

from dataclasses import dataclass

import numpy as np

from bench.score.protocols.coco import ABSENT
from bench.score.protocols.matching import Matches
from bench.score.protocols.protocol import RECALL_THRESHOLDS


@dataclass(frozen=True)
class _Right:
    """The detections that are right at one threshold, and those before each that are neither right nor wrong."""

    place: np.ndarray
    ignored_place: np.ndarray
    ignored_before: np.ndarray
    class_start: np.ndarray
    """[K] where each class begins in `place`, and in `ignored_place`"""
    ignored_start: np.ndarray


@dataclass(frozen=True)
class _Draw:
    """What all thresholds of a resample share."""

    counted: np.ndarray
    """[D] how often each detection is there"""
    running: np.ndarray
    """[D] its running total"""
    before_class: np.ndarray
    """[K] the total before each class"""
    positives: np.ndarray
    """[K] objects to find"""
    needed: np.ndarray | None
    """[K, R] hits that reach each recall threshold"""


class WeightedAP:
    """`grid` are the recall thresholds at which precision is read; None takes the area under the envelope."""

    def __init__(self, matches: Matches, grid: np.ndarray | None = RECALL_THRESHOLDS) -> None:
        self.matches, self.grid = matches, grid
        self._class_start = np.searchsorted(matches.label, np.arange(matches.num_classes))
        self._right = [self._at(row) for row in range(len(matches.thresholds))]

    def ap(self, weights: np.ndarray, rows: list[int] | None = None) -> np.ndarray:
        """[T, K], -1 for a class without objects; `weights` are whole numbers, one an image."""
        chosen = range(len(self._right)) if rows is None else rows
        counted = weights[self.matches.image]
        running = np.cumsum(counted)
        positives = self._positives(weights)
        needed = None if self.grid is None else _hits_needed(positives, self.grid)
        draw = _Draw(counted, running, _before(running, self._class_start), positives, needed)
        return np.stack([self._threshold(self._right[row], draw) for row in chosen])

    def recall(self, weights: np.ndarray, limit: int | None = None) -> np.ndarray:
        """[T, K]: recall by the best `limit` detections of an image and class."""
        matches = self.matches
        positives = self._positives(weights)
        usable = matches.true if limit is None else matches.true & (matches.rank < limit)
        found = np.stack(
            [np.bincount(matches.label[u], weights[matches.image[u]], matches.num_classes) for u in usable]
        )
        return np.where(positives > 0, found / np.maximum(positives, 1), ABSENT)

    def _positives(self, weights: np.ndarray) -> np.ndarray:
        matches = self.matches
        counts = np.bincount(matches.positive_label, weights[matches.positive_image], matches.num_classes)
        return counts.astype(np.int64)

    def _at(self, row: int) -> _Right:
        place, ignored = np.flatnonzero(self.matches.true[row]), np.flatnonzero(self.matches.ignored[row])
        starts = [np.searchsorted(places, self._class_start) for places in (place, ignored)]
        return _Right(place, ignored, np.searchsorted(ignored, place), *starts)

    def _threshold(self, right: _Right, draw: _Draw) -> np.ndarray:
        """[K]"""
        label, num_classes = self.matches.label[right.place], self.matches.num_classes
        hits = draw.counted[right.place]
        found = np.cumsum(hits)
        found_before = _before(found, right.class_start)
        ignored = np.cumsum(draw.counted[right.ignored_place])
        ignored_since = _before(ignored, right.ignored_before) - _before(ignored, right.ignored_start)[label]
        judged = draw.running[right.place] - draw.before_class[label] - ignored_since
        precision = (found - found_before[label]) / np.maximum(judged, 1)
        envelope = _envelope(precision, 2.0 * (num_classes - label))
        if draw.needed is None:
            area = np.bincount(label, hits * envelope, num_classes) / np.maximum(draw.positives, 1)
            return np.where(draw.positives > 0, area, ABSENT)
        total = _before(found, np.append(right.class_start[1:], len(found))) - found_before
        place = np.searchsorted(found, found_before[:, None] + draw.needed)
        values = np.append(envelope, 0.0)[np.minimum(place, len(envelope))]
        mean = np.where(draw.needed <= total[:, None], values, 0.0).mean(1)
        return np.where(draw.positives > 0, mean, ABSENT)


def mean_present(values: np.ndarray) -> float:
    """Over the classes that have objects; -1 when none has."""
    present = values[values > ABSENT]
    return float(present.mean()) if present.size else ABSENT


def _before(running: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The running total of all entries before each place."""
    return np.concatenate([np.zeros(1, running.dtype), running])[place]


def _envelope(precision: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """The highest precision from here to the end of the class; offsets fall from class to class and keep them apart."""
    highest: np.ndarray = np.maximum.accumulate((precision + offset)[::-1])[::-1] - offset
    return highest


def _hits_needed(positives: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """[K, R]: the least number of hits whose recall, in floating point, is at least the threshold."""
    total = np.maximum(positives, 1)[:, None]
    hits = np.ceil(grid * total)
    hits = np.where((hits - 1) / total >= grid, hits - 1, hits)
    hits = np.where(hits / total < grid, hits + 1, hits)
    return np.maximum(hits, 1).astype(np.int64)
