"""Average precision when every image counts a number of times: what a bootstrap asks for, thousands of times.

With all weights 1 it is the engines' AP to 1e-12 (VOC's, which no engine computes, comes from here). Only detections
that are right can raise the precision envelope: a resample costs one pass over all detections and ten over these.

The copies of an image's detection stay side by side; only among equal scores within one image could they not.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.score.coco import ABSENT
from bench.score.matching import Matches
from bench.score.protocol import RECALL_THRESHOLDS


@dataclass(frozen=True)
class _Right:
    """The detections that are right at one threshold, and those before each that are neither right nor wrong."""

    place: np.ndarray
    ignored_place: np.ndarray
    ignored_before: np.ndarray


class WeightedAP:
    """`grid` are the recall thresholds at which precision is read; None takes the area under the envelope."""

    def __init__(self, matches: Matches, grid: np.ndarray | None = RECALL_THRESHOLDS) -> None:
        self.matches, self.grid = matches, grid
        self._right = [self._at(row) for row in range(len(matches.thresholds))]

    def ap(self, weights: np.ndarray, rows: list[int] | None = None) -> np.ndarray:
        """[T, K], -1 for a class without objects; `weights` are whole numbers, one an image."""
        chosen = range(len(self._right)) if rows is None else rows
        counted = weights[self.matches.image]
        running = np.cumsum(counted)
        positives = self._positives(weights)
        return np.stack([self._threshold(self._right[row], counted, running, positives) for row in chosen])

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
        return _Right(place, ignored, np.searchsorted(ignored, place))

    @cached_property
    def _class_start(self) -> np.ndarray:
        """[K] the first detection of every class."""
        return np.searchsorted(self.matches.label, np.arange(self.matches.num_classes))

    def _threshold(self, right: _Right, counted: np.ndarray, running: np.ndarray, positives: np.ndarray) -> np.ndarray:
        """[K]"""
        label = self.matches.label[right.place]
        hits = counted[right.place]
        found = np.cumsum(hits)
        start = np.searchsorted(right.place, self._class_start)
        found_before = _before(found, start)
        ignored = np.cumsum(counted[right.ignored_place])
        ignored_start = np.searchsorted(right.ignored_place, self._class_start)
        judged = running[right.place] - _before(running, self._class_start)[label]
        judged = judged - (_before(ignored, right.ignored_before) - _before(ignored, ignored_start)[label])
        precision = (found - found_before[label]) / np.maximum(judged, 1)
        envelope = _envelope(precision, 2.0 * (self.matches.num_classes - label))
        if self.grid is None:
            area = np.bincount(label, hits * envelope, self.matches.num_classes) / np.maximum(positives, 1)
            return np.where(positives > 0, area, ABSENT)
        return self._read(envelope, found, found_before, np.append(start[1:], len(found)), positives)

    def _read(
        self, envelope: np.ndarray, found: np.ndarray, before: np.ndarray, end: np.ndarray, positives: np.ndarray
    ) -> np.ndarray:
        """[K]: the mean over the recall grid of the envelope where recall first reaches each."""
        needed = _hits_needed(positives, self.grid if self.grid is not None else RECALL_THRESHOLDS)
        reached = needed <= (_before(found, end) - before)[:, None]
        place = np.searchsorted(found, before[:, None] + needed)
        padded = np.append(envelope, 0.0)
        values = np.where(reached, padded[np.minimum(place, len(envelope))], 0.0)
        return np.where(positives > 0, values.mean(1), ABSENT)


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
