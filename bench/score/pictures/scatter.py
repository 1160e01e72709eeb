"""Scores against true IoU, with density and correlation (IoU-Net fig. 2, DIR fig. 4)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bench.score.measures.quality import NEAR, believed, best_iou, pearson, spearman
from bench.score.pictures.picture import COLOURS, Picture, label, panels
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS_SHOWN = 20_000
CELLS = 40


def iou_scatter(truth: GroundTruth, found: Detections, columns: Mapping[str, str] | None = None) -> Picture:
    """A panel a column of `believed`, with the name it is shown under; by default all of them.

    The file beside it has every point that is drawn; with more than 20,000 an even selection.
    """
    known = believed(found)
    shown = columns or {name: name.removeprefix("pred_").replace("_", " ") for name in known}
    best = best_iou(truth, found, NEAR)
    near = np.flatnonzero(best.iou > NEAR)
    drawn = near[:: max(1, len(near) // POINTS_SHOWN)]
    figure, axes = panels(len(shown), width=4.4, height=4.2, bottom=0.7)
    for one, (column, name) in zip(axes, shown.items(), strict=True):
        values = known[column]
        one.scatter(
            best.iou[drawn],
            values[drawn],
            c=_density(best.iou[drawn], values[drawn]),
            s=5,
            cmap="viridis",
            linewidths=0,
        )
        r, rho = pearson(values[near], best.iou[near]), spearman(values[near], best.iou[near])
        axis = f"IoU with the object\n{len(near)} boxes above {NEAR}, Spearman {rho:.3f}"
        label(one, f"{name}: Pearson {r:.3f}", axis, name)
        _mean_line(one, best.iou[near], values[near])
        one.set(xlim=(NEAR, 1.01), ylim=(0, 1.02 * float(values[near].max(initial=1))))
    data = [{"iou": best.iou[i], **{column: known[column][i] for column in shown}} for i in drawn]
    return Picture(figure, data)


def _density(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How many points share a point's cell, on a logarithmic scale."""
    if not len(x):
        return np.zeros(0)
    cell = [np.clip(((v - v.min()) / max(np.ptp(v), 1e-9) * CELLS).astype(int), 0, CELLS - 1) for v in (x, y)]
    which = cell[0] * CELLS + cell[1]
    return np.log1p(np.bincount(which, minlength=CELLS * CELLS)[which])


def _mean_line(axes: "Axes", iou: np.ndarray, values: np.ndarray) -> None:
    """The mean in every tenth of the IoU axis."""
    edges = np.linspace(NEAR, 1, 11)
    which = np.digitize(iou, edges) - 1
    middle = [(edges[i] + edges[i + 1]) / 2 for i in range(10) if (which == i).any()]
    means = [values[which == i].mean() for i in range(10) if (which == i).any()]
    axes.plot(middle, means, color=COLOURS[1], linewidth=2, marker="o", markersize=3)
