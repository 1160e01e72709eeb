"""COCO's evaluation by its two engines: faster-coco-eval's compiled core, fed with arrays, and pycocotools.

Both give precision [T, R, K, A, M] and recall [T, K, A, M] over IoU thresholds, recall thresholds, classes, areas and
numbers of detections, -1 where a class has no objects; tests hold them equal.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.errors import UserError
from bench.score.protocols import faster_engine, reference_engine
from bench.score.protocols.side import Side
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth

Engine = Literal["faster", "reference"]


@dataclass(frozen=True)
class Accumulated:
    precision: np.ndarray
    recall: np.ndarray
    engine: str


def accumulate(truth: GroundTruth, detections: Detections, masks: bool, engine: Engine | None = None) -> Accumulated:
    """By the given engine, or by the fast one where it is installed."""
    sides = truth_side(truth, masks), detection_side(truth, detections, masks)
    if engine == "reference" or (engine is None and not faster_engine.installed()):
        return Accumulated(*reference_engine.accumulate(*sides, truth, masks), "pycocotools")
    return Accumulated(*faster_engine.accumulate(*sides, truth.num_classes), "faster-coco-eval")


def truth_side(truth: GroundTruth, masks: bool) -> Side:
    if masks and (truth.masks is None or any(mask is None for mask in truth.masks)):
        raise UserError("the ground truth has objects without masks", remedy="choose a protocol for boxes")
    return Side(
        truth.image_ids[truth.image],
        truth.labels,
        truth.xywh,
        truth.area,
        truth.iscrowd,
        np.ones(len(truth)),
        truth.masks if masks else None,
    )


def detection_side(truth: GroundTruth, detections: Detections, masks: bool) -> Side:
    if masks and detections.masks is None and len(detections):
        raise UserError("the detections have no masks", where=detections.where, remedy="choose a protocol for boxes")
    return Side(
        truth.image_ids[detections.image],
        detections.labels,
        detections.xywh,
        detections.mask_area if masks else detections.box_area,
        np.zeros(len(detections), bool),
        detections.scores,
        detections.masks if masks else None,
    )
