"""One evaluation as a JSON tree: what the leaderboard draws and resamples, small enough to keep with every run.

The parts and their names are those that `bench/board/making/curves.py` reads.
"""

from typing import Any

import numpy as np

from bench.score.measures.calibration import Reliability, overall_reliability
from bench.score.measures.tide import TYPES, errors
from bench.score.protocols import coco
from bench.score.protocols.protocol import RECALL_THRESHOLDS
from bench.score.resampling.bootstrap import resample
from bench.score.resampling.statistics import half_matches
from bench.score.scores import Scores

SCHEMA = 1
RESAMPLED = ("AP", "AP50", "AP75", "AP80", "AP90", "pearson_iou_score")
PR_THRESHOLDS = (50, 75, 90)
DIGITS = 6


def summary(scores: Scores, fingerprint: str, resamples: int = 1000) -> dict[str, Any]:
    """Curves, errors, calibration, and the bootstrap on draws that all rows over the same data share."""
    tree: dict[str, Any] = {
        "schema": SCHEMA,
        "per_class": scores.per_class,
        "resamples": _resamples(scores, fingerprint, resamples),
    }
    if scores.accumulated is not None:
        tree |= _curves(scores)
    if len(scores.detections):
        cost = errors(scores.truth, scores.detections).cost
        tree["errors"] = {kind: cost[kind] for kind in TYPES}
        tree["reliability"] = {"score": _reliability(scores)}
    return rounded(tree)


def _curves(scores: Scores) -> dict[str, Any]:
    assert scores.accumulated is not None
    by_iou = coco.ap_by_iou(scores.accumulated)
    curves = {}
    for percent in PR_THRESHOLDS:
        precision = scores.accumulated.precision[coco.threshold_index(percent), :, :, 0, -1]
        present = precision[:, (precision > -1).any(0)]
        if present.size:
            curves[f"{percent / 100:.2f}"] = {"recall": RECALL_THRESHOLDS, "precision": present.mean(1)}
    return {"ap_over_iou": {"iou": list(by_iou), "ap": list(by_iou.values())}, "pr": curves}


def _reliability(scores: Scores) -> dict[str, Any]:
    found: Reliability = overall_reliability(scores.truth, scores.detections, half_matches(scores))
    filled = found.count > 0
    return {"predicted": found.score[filled], "actual": found.precision[filled], "count": found.count[filled]}


def _resamples(scores: Scores, fingerprint: str, resamples: int) -> dict[str, Any]:
    drawn = resample({"row": [scores]}, RESAMPLED, resamples=resamples, jackknife=False).samples["row"]
    values = {name: samples.resampled for name, samples in drawn.items() if np.isfinite(samples.resampled).all()}
    return {"key": f"{fingerprint}:{resamples}", **values}


def rounded(tree: Any) -> Any:
    """A tree of plain numbers with as many digits as anybody reads."""
    if isinstance(tree, dict):
        return {str(key): rounded(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple, np.ndarray)):
        return [rounded(value) for value in (tree.tolist() if isinstance(tree, np.ndarray) else tree)]
    if isinstance(tree, float):
        return round(tree, DIGITS) if np.isfinite(tree) else None
    return tree
