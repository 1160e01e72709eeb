"""Two rows side by side, image by image: where they differ, and by how much."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.score.protocols.matching import Matches
from bench.score.resampling.compare import Comparison, compare
from bench.score.scores import Scores

METRICS = ("AP", "AP50", "AP75", "AP90")
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """A row under one seed: its name, and its detections judged."""

    name: str
    scores: Scores


@dataclass(frozen=True)
class Versus:
    """b against a; `a_images` and `b_images` are each image's own average precision, nan without objects."""

    a: Side
    b: Side
    metrics: tuple[Comparison, ...]
    a_images: Array
    b_images: Array

    @property
    def change(self) -> Array:
        return self.b_images - self.a_images

    def most_improved(self, count: int) -> list[int]:
        return [index for index in self._by_change() if self.change[index] > 0][::-1][:count]

    def most_worsened(self, count: int) -> list[int]:
        return [index for index in self._by_change() if self.change[index] < 0][:count]

    def _by_change(self) -> list[int]:
        order = np.argsort(self.change, kind="stable")
        return [int(index) for index in order if np.isfinite(self.change[index])]


def versus(a: Side, b: Side, metrics: Sequence[str] = METRICS) -> Versus:
    """Both sides must have been judged on the same images."""
    known = [metric for metric in metrics if metric in a.scores.metrics and metric in b.scores.metrics]
    found = compare(a.scores, b.scores, known)
    return Versus(a, b, tuple(found), image_precision(a.scores.matches), image_precision(b.scores.matches))


def image_precision(matches: Matches) -> Array:
    """[images] average precision within each image: all its classes ranked together, mean over the IoU thresholds.

    It says how near the top an image's objects are among its own detections; nan for images without objects.
    """
    positives = np.bincount(matches.positive_image, minlength=matches.num_images).astype(np.float64)
    order = np.lexsort((-matches.score, matches.image))
    image = matches.image[order]
    first = np.searchsorted(image, np.arange(matches.num_images))
    totals = np.zeros(matches.num_images)
    for true, ignored in zip(matches.true[:, order], matches.ignored[:, order], strict=True):
        found, counted = _so_far(true, image, first), _so_far(~ignored, image, first)
        precision = np.where(true, found / np.maximum(counted, 1), 0.0)
        totals += np.bincount(image, weights=precision, minlength=matches.num_images)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(positives > 0, totals / positives / len(matches.thresholds), np.nan)


def _so_far(flags: NDArray[np.bool_], image: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many flags are up to each place, counted within its image."""
    running = np.concatenate([[0], np.cumsum(flags)])
    return np.asarray(running[1:] - running[first[image]])
