"""VOC's numbers by name: at IoU 0.5 as the challenge has it, and over ten thresholds as papers report it."""

import numpy as np

from bench.score.protocols.coco import ABSENT, SINGLE_THRESHOLDS, threshold_index
from bench.score.protocols.matching import match_voc
from bench.score.protocols.protocol import Protocol
from bench.score.resampling.weighted_ap import WeightedAP, mean_present
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth

ELEVEN_POINTS = np.linspace(0, 1, 11)


def weighted(truth: GroundTruth, detections: Detections, protocol: Protocol) -> WeightedAP:
    grid = ELEVEN_POINTS if protocol.interpolation == "11-point" else None
    return WeightedAP(match_voc(truth, detections, plus_one=protocol.plus_one), grid)


def evaluate_voc(
    truth: GroundTruth, detections: Detections, protocol: Protocol
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """The numbers over all classes, and of each."""
    judge = weighted(truth, detections, protocol)
    everyone = np.ones(truth.num_images, np.int64)
    table, recall = judge.ap(everyone), judge.recall(everyone)
    numbers = {name: _named(table[:, [k]], recall[:, [k]]) for k, name in enumerate(truth.class_names)}
    return _named(table, recall), numbers


def _named(table: np.ndarray, recall: np.ndarray) -> dict[str, float]:
    singles = {f"AP{percent}": mean_present(table[threshold_index(percent)]) for percent in SINGLE_THRESHOLDS}
    recalls = {f"recall{percent}": mean_present(recall[threshold_index(percent)]) for percent in SINGLE_THRESHOLDS}
    return {"AP": mean_present(table), **singles, "AR": mean_present(recall) if recall.size else ABSENT, **recalls}
