"""Bars over bins: positives after suppression, mean score by IoU, reliability, TIDE's errors."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from bench.score.measures.calibration import Reliability
from bench.score.measures.iou_bins import Binned, mean_score_by_iou, positives_by_iou
from bench.score.measures.tide import TYPES, Errors
from bench.score.pictures.picture import COLOURS, GREY, Picture, colour, label, legend, panels
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth


def positives_after_suppression(rows: Mapping[str, np.ndarray]) -> Picture:
    """Boxes that are the best for their object, by IoU, for several ways of suppression (IoU-Net fig. 3).

    Each row is what `iou_bins.object_iou` gives of its detections.
    """
    binned = {name: positives_by_iou(found) for name, found in rows.items()}
    return _grouped(binned, "Positive boxes that suppression leaves", "number of boxes")


def score_by_iou(truth: GroundTruth, rows: Mapping[str, Detections]) -> Picture:
    """Mean ranking score of the detections of each IoU bin (IoU-balanced losses fig. 3a)."""
    binned = {name: mean_score_by_iou(truth, found) for name, found in rows.items()}
    return _grouped(binned, "Mean score by IoU", "mean score")


def reliability_diagram(diagram: Reliability, name: str = "") -> Picture:
    """Expected IoU (precision times mean IoU of the right ones) beside the score that promised it."""
    figure, (axes,) = panels()
    filled = diagram.count > 0
    width = diagram.edges[1] - diagram.edges[0]
    middle = diagram.edges[:-1] + width / 2
    shade = 0.25 + 0.75 * np.sqrt(diagram.count / max(diagram.count.max(), 1))
    achieved = diagram.achieved
    for x, y, alpha in zip(middle[filled], achieved[filled], shade[filled], strict=True):
        axes.bar(x, y, width * 0.92, color=COLOURS[0], alpha=float(alpha))
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1)
    axes.plot(diagram.score[filled], achieved[filled], "o", color=COLOURS[1], markersize=4)
    title = f"Reliability{' of ' + name if name else ''}, error {diagram.error:.3f}"
    label(axes, title, "score", "expected IoU of such detections")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.annotate("darker: more detections", (0.03, 0.94), fontsize=8, color=GREY)
    names = ("low", "score", "precision", "iou", "count")
    columns = (diagram.edges[:-1], diagram.score, diagram.precision, diagram.iou, diagram.count)
    return Picture(figure, [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)])


def error_bars(rows: Mapping[str, Errors]) -> Picture:
    """AP that each type of error costs, and that all false positives and all misses cost (TIDE)."""
    figure, (main, special) = panels(2, width=4.4)
    data = []
    for axes, kinds, title in (
        (main, TYPES, "What each type of error costs"),
        (special, ("FalsePos", "FalseNeg"), "All false alarms, all misses"),
    ):
        width = 0.8 / max(len(rows), 1)
        for number, (name, found) in enumerate(rows.items()):
            values = [100 * found.cost[kind] for kind in kinds]
            place = np.arange(len(kinds)) + width * (number - (len(rows) - 1) / 2)
            bars = axes.bar(
                place, values, width * 0.92, color=colour(number), label=f"{name}, AP50 {100 * found.ap:.1f}"
            )
            axes.bar_label(bars, fmt="%.1f", fontsize=7 if len(rows) > 1 else 8, padding=2)
            counts = found.count()
            pairs = zip(kinds, values, strict=True)
            data += [{"row": name, "type": k, "ap_points": v, "count": counts.get(k, "")} for k, v in pairs]
        axes.set_xticks(range(len(kinds)), kinds)
        label(axes, title, "", "AP50 points")
        axes.margins(y=0.2)
    main.legend(frameon=False, fontsize=8)
    return Picture(figure, data)


def _grouped(rows: Mapping[str, Binned], title: str, what: str) -> Picture:
    figure, (axes,) = panels(bottom=0.95)
    data = []
    width = 0.85 / max(len(rows), 1)
    edges = np.zeros(1)
    for number, (name, binned) in enumerate(rows.items()):
        edges = binned.edges
        place = np.arange(len(binned.values)) + width * (number - (len(rows) - 1) / 2)
        axes.bar(place, binned.values, width * 0.94, color=colour(number), label=name)
        data += [{"row": name, **row} for row in binned.rows()]
    names = [f"{low:.2f}-{high:.2f}" for low, high in pairwise(edges)]
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
    label(axes, title, "IoU", what)
    legend(axes, list(rows))
    return Picture(figure, data)
