"""Pairs of a detection and an object of the same image, with their IoU: all images at once, in numpy."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth

CHUNK = 1_000_000
"""pairs that are looked at at a time"""


@dataclass(frozen=True)
class Pairs:
    """P pairs, sorted by detection, then by object."""

    detection: np.ndarray
    truth: np.ndarray
    iou: np.ndarray
    """with a crowd region: the share of the detection that lies in it"""

    def __len__(self) -> int:
        return len(self.iou)

    def select(self, index: np.ndarray) -> "Pairs":
        return Pairs(self.detection[index], self.truth[index], self.iou[index])


def overlapping(
    truth: GroundTruth,
    detections: Detections,
    *,
    min_iou: float,
    same_class: bool = True,
    masks: bool = False,
    plus_one: bool = False,
) -> Pairs:
    """Pairs with at least that IoU; by default only of the same class."""
    cell_of_truth, cell_of_detection = truth.image, detections.image
    if same_class:
        cell_of_truth = truth.image * truth.num_classes + truth.labels
        cell_of_detection = detections.image * truth.num_classes + detections.labels
    found = []
    for d, g in _candidates(cell_of_detection, cell_of_truth):
        iou = _mask_iou(truth, detections, d, g) if masks else paired_iou(truth, detections, d, g, float(plus_one))
        kept = iou >= min_iou
        found.append((d[kept], g[kept], iou[kept]))
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    return Pairs(*(np.concatenate(parts) for parts in zip(nothing, *found, strict=True)))


def _candidates(cell_of_detection: np.ndarray, cell_of_truth: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All pairs within a cell, some detections at a time."""
    by_cell = np.argsort(cell_of_truth, kind="stable")
    cells = cell_of_truth[by_cell]
    start = np.searchsorted(cells, cell_of_detection, "left")
    counts = np.searchsorted(cells, cell_of_detection, "right") - start
    ends = np.cumsum(counts)
    split_at = np.searchsorted(ends, np.arange(CHUNK, int(ends[-1]) if len(ends) else 0, CHUNK))
    for part in np.split(np.arange(len(counts)), np.unique(split_at)):
        number = counts[part]
        place = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
        yield np.repeat(part, number), by_cell[np.repeat(start[part], number) + place]


def paired_iou(
    truth: GroundTruth, detections: Detections, d: np.ndarray, g: np.ndarray, one: float = 0.0
) -> np.ndarray:
    """IoU of detection d[i] with object g[i], in the order of operations of COCO's code: the last bit is the same."""
    a, b = detections.xywh[d], truth.xywh[g]
    near, far = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:])
    sides = np.maximum(far - near + one, 0)
    shared = sides[:, 0] * sides[:, 1]
    area_a, area_b = (a[:, 2] + one) * (a[:, 3] + one), (b[:, 2] + one) * (b[:, 3] + one)
    union = np.where(truth.iscrowd[g], area_a, area_a + area_b - shared)
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _mask_iou(truth: GroundTruth, detections: Detections, d: np.ndarray, g: np.ndarray) -> np.ndarray:
    from pycocotools import mask as coco_mask

    if truth.masks is None or detections.masks is None:
        return np.zeros(len(d))
    iou = np.zeros(len(d))
    for part in np.split(np.arange(len(d)), np.flatnonzero(np.diff(d)) + 1):
        if len(part):
            objects = [truth.masks[i] for i in g[part]]
            crowd = truth.iscrowd[g[part]].astype(int).tolist()
            iou[part] = coco_mask.iou([detections.masks[d[part[0]]]], objects, crowd)[0]
    return iou
