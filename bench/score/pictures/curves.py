"""Curves over recall or IoU: precision, AP, recall by suppression, share of well placed boxes."""

from collections.abc import Mapping

import numpy as np

from bench.score.measures.iou_bins import EDGES, recall_by_iou, share_above_iou
from bench.score.pictures.picture import Picture, colour, label, legend, panels
from bench.score.protocols.coco import ABSENT, ap_by_iou
from bench.score.protocols.protocol import IOU_THRESHOLDS, RECALL_THRESHOLDS
from bench.score.resampling.weighted_ap import WeightedAP, mean_present
from bench.score.scores import Scores
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth

SHOWN_THRESHOLDS = (0, 2, 4, 5, 6, 8)
"""IoU .5, .6, .7, .75, .8, .9"""


def precision_recall(scores: Scores) -> Picture:
    """Mean over classes, one curve an IoU threshold; COCO's protocols only."""
    if scores.accumulated is None:
        raise ValueError("scores: no precision arrays in them; evaluate with one of COCO's protocols")
    figure, (axes,) = panels(width=7.0, right=1.95)
    data = []
    for number, row in enumerate(SHOWN_THRESHOLDS):
        table = scores.accumulated.precision[row, :, :, 0, -1]
        present = table[:, table[0] > ABSENT]
        curve = present.mean(1) if present.size else np.zeros(len(RECALL_THRESHOLDS))
        shade = _shade(number / (len(SHOWN_THRESHOLDS) - 1))
        name = f"IoU {IOU_THRESHOLDS[row]:.2f}, AP {curve.mean():.3f}"
        axes.plot(RECALL_THRESHOLDS, curve, color=shade, linewidth=1.8, label=name)
        pairs = zip(RECALL_THRESHOLDS, curve, strict=True)
        data += [{"iou": round(float(IOU_THRESHOLDS[row]), 2), "recall": r, "precision": p} for r, p in pairs]
    label(axes, "Precision and recall", "recall", "precision, mean over classes")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return Picture(figure, data)


def ap_over_iou(rows: Mapping[str, Scores]) -> Picture:
    """AP at every IoU threshold, one curve a row: where does a better estimate of the fit pay?"""
    curves = {name: list(_ap_by_iou(scores).values()) for name, scores in rows.items()}
    return _over_iou(curves, IOU_THRESHOLDS, "AP over the IoU that a match needs", "AP")


def recall_over_iou(rows: Mapping[str, np.ndarray]) -> Picture:
    """Recall of several ways of suppression, best with no suppression among them (IoU-Net fig. 7).

    Each row is what `iou_bins.object_iou` gives of its detections.
    """
    curves = {name: recall_by_iou(found).tolist() for name, found in rows.items()}
    return _over_iou(curves, EDGES[:-1], "Recall by IoU threshold", "recall")


def share_over_iou(truth: GroundTruth, rows: Mapping[str, Detections]) -> Picture:
    """Of the detections with an IoU above 0.5, the share above each threshold (IoU-balanced losses fig. 3b)."""
    curves = {name: share_above_iou(truth, found).tolist() for name, found in rows.items()}
    return _over_iou(curves, EDGES[:-1], "Detections better placed than a threshold", "share of detections")


def _over_iou(curves: Mapping[str, list[float]], thresholds: np.ndarray, title: str, what: str) -> Picture:
    figure, (axes,) = panels()
    data = []
    for number, (name, values) in enumerate(curves.items()):
        axes.plot(thresholds, values, color=colour(number), marker="o", markersize=4, linewidth=1.8, label=name)
        pairs = zip(thresholds, values, strict=True)
        data += [{"row": name, "iou": round(float(t), 2), "value": v} for t, v in pairs]
    label(axes, title, "IoU threshold", what)
    axes.set(xlim=(thresholds[0] - 0.01, thresholds[-1] + 0.01))
    axes.set_ylim(bottom=0)
    legend(axes, list(curves))
    return Picture(figure, data)


def _ap_by_iou(scores: Scores) -> dict[float, float]:
    if scores.accumulated is not None:
        return ap_by_iou(scores.accumulated)
    if scores.rules.rules == "voc":
        from bench.score.protocols.voc import weighted

        table = weighted(scores.truth, scores.detections, scores.rules)
    else:
        table = WeightedAP(scores.matches)
    values = table.ap(np.ones(scores.truth.num_images, np.int64))
    return {round(float(t), 2): mean_present(row) for t, row in zip(IOU_THRESHOLDS, values, strict=True)}


def _shade(place: float) -> tuple[float, float, float]:
    """From light to dark blue as the threshold grows."""
    light, dark = np.array([0.62, 0.79, 0.88]), np.array([0.03, 0.19, 0.42])
    red, green, blue = (light + (dark - light) * place).tolist()
    return red, green, blue
