"""Who found what: COCO's and VOC's matching of detections to objects, over arrays, kept image by image.

Average precision itself comes from the engines; matches are for what engines do not give: resampling, errors, quality.
"""

from dataclasses import dataclass

import numpy as np

from bench.score.protocols.protocol import AREAS, IOU_THRESHOLDS, MAX_DETECTIONS
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from bench.score.tables.pairs import Pairs, overlapping

NO_MATCH = -1


@dataclass(frozen=True)
class Matches:
    """D detections, sorted by class and falling score, against the objects, at T IoU thresholds."""

    num_images: int
    num_classes: int
    thresholds: np.ndarray
    detection: np.ndarray
    """[D] index into the detections"""
    image: np.ndarray
    label: np.ndarray
    score: np.ndarray
    rank: np.ndarray
    """[D] place among the detections of the same image and class"""
    matched: np.ndarray
    """[T, D] index of the object, or -1"""
    ignored: np.ndarray
    """[T, D] neither right nor wrong"""
    positive_image: np.ndarray
    """[P] image of every object that should be found"""
    positive_label: np.ndarray

    @property
    def true(self) -> np.ndarray:
        """[T, D] right"""
        return (self.matched != NO_MATCH) & ~self.ignored

    def of_class(self, label: int) -> slice:
        """Where the detections of a class are."""
        start, end = np.searchsorted(self.label, [label, label + 1])
        return slice(int(start), int(end))


def match(
    truth: GroundTruth,
    detections: Detections,
    *,
    masks: bool = False,
    area: str = "all",
    thresholds: np.ndarray = IOU_THRESHOLDS,
    max_detections: int = MAX_DETECTIONS[-1],
) -> Matches:
    """By COCO's rules: the best-ranked go first and take the free object they overlap most."""
    low, high = AREAS[area]
    order, rank = ranked(truth, detections, max_detections)
    chosen = detections.select(order)
    object_ignored = truth.iscrowd | (truth.area < low) | (truth.area > high)
    pairs = overlapping(truth, chosen, min_iou=min(thresholds.min(), 1 - 1e-10), masks=masks)
    matched = _greedy(pairs, rank, truth.iscrowd, object_ignored, np.minimum(thresholds, 1 - 1e-10), len(order))
    size = chosen.mask_area if masks else chosen.box_area
    outside = (size < low) | (size > high)
    if len(truth):
        ignored = np.where(matched == NO_MATCH, outside, object_ignored[matched])
    else:
        ignored = np.broadcast_to(outside, matched.shape)
    return _matches(truth, chosen, order, rank, thresholds, matched, ignored, ~object_ignored)


def match_voc(
    truth: GroundTruth, detections: Detections, *, plus_one: bool = False, thresholds: np.ndarray = IOU_THRESHOLDS
) -> Matches:
    """By VOC's rules: a detection goes for the object it overlaps most, taken or not; difficult ones do not count."""
    order, rank = ranked(truth, detections, None)
    chosen = detections.select(order)
    objects_ignored = truth.difficult | truth.iscrowd
    pairs = overlapping(truth, chosen, min_iou=thresholds.min(), plus_one=plus_one)
    pairs = pairs.select(np.lexsort((pairs.truth, -pairs.iou, pairs.detection)))
    detection, first = np.unique(pairs.detection, return_index=True)
    target, best = pairs.truth[first], pairs.iou[first]
    matched = np.full((len(thresholds), len(order)), NO_MATCH)
    ignored = np.zeros(matched.shape, bool)
    for row, threshold in enumerate(thresholds):
        near = best >= threshold
        ignored[row, detection[near]] = objects_ignored[target[near]]
        _, winner = np.unique(target[near], return_index=True)
        matched[row, detection[near][winner]] = target[near][winner]
    return _matches(truth, chosen, order, rank, thresholds, matched, ignored, ~objects_ignored)


def ranked(truth: GroundTruth, detections: Detections, limit: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Detections by class, falling score and image id, stable; only the best `limit` of an image and class.

    Beside each its place among those of its image and class.
    """
    by_score = np.lexsort((truth.image_rank[detections.image], -detections.scores, detections.labels))
    cell = detections.image[by_score] * truth.num_classes + detections.labels[by_score]
    by_cell = np.argsort(cell, kind="stable")
    ordered = cell[by_cell]
    rank = np.empty(len(cell), np.int64)
    rank[by_cell] = np.arange(len(cell)) - np.searchsorted(ordered, ordered)
    kept = slice(None) if limit is None else rank < limit
    return by_score[kept], rank[kept]


def _greedy(
    pairs: Pairs, rank: np.ndarray, crowd: np.ndarray, ignored: np.ndarray, thresholds: np.ndarray, num: int
) -> np.ndarray:
    """[T, num]: all cells at once, their best detection first, then their second, and so on.

    The pairs of a detection are put in the order of COCO's preference: objects that count first, then the highest IoU,
    then the last in the file; it takes the first that is free.
    """
    matched = np.full((len(thresholds), num), NO_MATCH)
    turn = rank[pairs.detection]
    pairs = pairs.select(np.lexsort((-pairs.truth, -pairs.iou, ignored[pairs.truth], pairs.detection, turn)))
    taken = np.zeros((len(thresholds), len(crowd)), bool)
    limits = np.flatnonzero(np.diff(rank[pairs.detection])) + 1
    for part in np.split(np.arange(len(pairs)), limits):
        if not len(part):
            continue
        detection, target = pairs.detection[part], pairs.truth[part]
        starts = np.concatenate([[0], np.flatnonzero(np.diff(detection)) + 1])
        free = (pairs.iou[part] >= thresholds[:, None]) & (~taken[:, target] | crowd[target])
        place = np.where(free, np.arange(len(part)), len(part))
        first = np.minimum.reduceat(place, starts, axis=1)
        row, column = np.nonzero(first < len(part))
        chosen = target[first[row, column]]
        matched[row, detection[starts[column]]] = chosen
        taken[row, chosen] = True
    return matched


def _matches(
    truth: GroundTruth,
    chosen: Detections,
    order: np.ndarray,
    rank: np.ndarray,
    thresholds: np.ndarray,
    matched: np.ndarray,
    ignored: np.ndarray,
    counts: np.ndarray,
) -> Matches:
    return Matches(
        num_images=truth.num_images,
        num_classes=truth.num_classes,
        thresholds=thresholds,
        detection=order,
        image=chosen.image,
        label=chosen.labels,
        score=chosen.scores,
        rank=rank,
        matched=matched,
        ignored=ignored,
        positive_image=truth.image[counts],
        positive_label=truth.labels[counts],
    )
