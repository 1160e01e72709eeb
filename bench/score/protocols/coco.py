"""COCO's numbers by name, from what an engine accumulated."""

import numpy as np

from bench.score.protocols.engines import Accumulated
from bench.score.protocols.protocol import AREAS, IOU_THRESHOLDS, MAX_DETECTIONS

ABSENT = -1.0
"""COCO's word for "there is nothing to measure" """
SINGLE_THRESHOLDS = (50, 60, 70, 75, 80, 90)
SHORT = {"small": "s", "medium": "m", "large": "l"}
NAMES = (
    "AP",
    *(f"AP{t}" for t in SINGLE_THRESHOLDS),
    *(f"AP{s}" for s in SHORT.values()),
    *(f"AR{m}" for m in MAX_DETECTIONS),
    *(f"AR{s}" for s in SHORT.values()),
    *(f"recall{t}" for t in SINGLE_THRESHOLDS),
)


def summarize(result: Accumulated, labels: list[int] | None = None) -> dict[str, float]:
    """The numbers over all classes, or over some of them."""
    chosen = slice(None) if labels is None else labels
    precision, recall = result.precision[:, :, chosen], result.recall[:, chosen]
    metrics = {"AP": _mean(precision[..., 0, -1])}
    for percent in SINGLE_THRESHOLDS:
        metrics[f"AP{percent}"] = _mean(precision[threshold_index(percent), ..., 0, -1])
    for number, area in enumerate(AREAS):
        if area in SHORT:
            metrics[f"AP{SHORT[area]}"] = _mean(precision[..., number, -1])
    for number, limit in enumerate(MAX_DETECTIONS):
        metrics[f"AR{limit}"] = _mean(recall[..., 0, number])
    for number, area in enumerate(AREAS):
        if area in SHORT:
            metrics[f"AR{SHORT[area]}"] = _mean(recall[..., number, -1])
    for percent in SINGLE_THRESHOLDS:
        metrics[f"recall{percent}"] = _mean(recall[threshold_index(percent), :, 0, -1])
    return metrics


def per_class(result: Accumulated, class_names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    return {name: summarize(result, [label]) for label, name in enumerate(class_names)}


def ap_by_iou(result: Accumulated) -> dict[float, float]:
    """AP at each of the ten IoU thresholds."""
    return {round(float(t), 2): _mean(result.precision[i, ..., 0, -1]) for i, t in enumerate(IOU_THRESHOLDS)}


def threshold_index(percent: int) -> int:
    return int(np.abs(IOU_THRESHOLDS - percent / 100).argmin())


def _mean(values: np.ndarray) -> float:
    present = values[values > ABSENT]
    return float(present.mean()) if present.size else ABSENT
