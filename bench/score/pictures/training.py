"""How a training goes on: positives an object, the pull of the box loss, anchors of one image, gains of regression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from bench.score.pictures.picture import GREY, Picture, colour, label, legend, panels
from bench.score.pictures.tiles import WHITE, fitted, framed, sheet

SMOOTHED_OVER = 20
"""Points of the moving mean, at most a fifth of all."""
LEAST_COUNT = 20
"""Codes in a bin below which its mean says nothing."""


@dataclass(frozen=True)
class Pull:
    """The gradient of a box loss by how far off a code is, for codes 1 and 2 and for codes 3 and 4: [2, bins]."""

    edges: np.ndarray
    """between bins: one less than there are bins"""
    sums: np.ndarray
    counts: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        return np.where(self.counts >= LEAST_COUNT, self.sums / np.maximum(self.counts, 1), np.nan)

    @property
    def middle(self) -> np.ndarray:
        """[bins - 2] of those with two ends."""
        return np.sqrt(self.edges[:-1] * self.edges[1:])


def positives_over_training(rows: Mapping[str, Sequence[tuple[int, float]]]) -> Picture:
    """Positive anchors an object, by iteration: each look pale, their moving mean strong (PAA fig. 4b)."""
    figure, (axes,) = panels(width=6.5)
    data = []
    for number, (name, points) in enumerate(rows.items()):
        steps, values = np.array([step for step, _ in points]), np.array([value for _, value in points])
        window = max(1, min(SMOOTHED_OVER, len(values) // 5))
        smooth = np.convolve(values, np.ones(window) / window, "valid")
        axes.plot(steps, values, color=colour(number), linewidth=0.8, alpha=0.35)
        axes.plot(steps[window - 1 :], smooth, color=colour(number), linewidth=2, label=name)
        data += [{"row": name, "iteration": step, "positives_per_object": value} for step, value in points]
    label(axes, "Positives an object", "iteration", "positive anchors an object")
    axes.set_ylim(bottom=0)
    legend(axes, list(rows))
    return Picture(figure, data)


def gradient_by_error(rows: Mapping[str, Pull], bounds: Mapping[str, tuple[float, float]] | None = None) -> Picture:
    """Mean |gradient| of the box loss on a positive's code by |predicted - target| (IoU-balanced losses fig. 2).

    `bounds` draws the paper's upper bounds for smooth-L1 of knee 1/9 (Eq. 13, 14), dashed: name -> lambda, w_loc.
    """
    from matplotlib.ticker import LogLocator, NullLocator

    figure, axes = panels(2, width=5.0)
    data: list[dict[str, Any]] = []
    kinds = ("codes 1 and 2 (place)", "codes 3 and 4 (size)")
    for part, (one, kind) in enumerate(zip(axes, kinds, strict=True)):
        for number, (name, pull) in enumerate(rows.items()):
            mean, counts = pull.mean[part, 1:-1], pull.counts[part, 1:-1]
            one.plot(pull.middle, mean, color=colour(number), marker="o", markersize=3.5, linewidth=1.6, label=name)
            columns = zip(pull.edges[:-1], pull.edges[1:], mean, counts, strict=True)
            data += [
                {"row": name, "codes": kind, "low": low, "high": high, "gradient": value, "codes_seen": count}
                for low, high, value, count in columns
            ]
        for number, (name, (lam, w_loc)) in enumerate((bounds or {}).items()):
            error = np.geomspace(1e-3, 1, 200)
            bound = smooth_l1_bound(error, lam, w_loc, size=part == 1)
            one.plot(error, bound, color=colour(number), linestyle="--", linewidth=1, label=f"bound, {name}")
        one.set_xscale("log")
        one.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        one.xaxis.set_major_formatter("{x:g}")
        one.xaxis.set_minor_locator(NullLocator())
        label(one, kind[0].upper() + kind[1:], "|predicted - target|", "mean |gradient| of the box loss")
        one.set_ylim(bottom=0)
    legend(axes[0], [*rows, *(bounds or {})])
    return Picture(figure, data)


def smooth_l1_bound(error: np.ndarray, lam: float, w_loc: float, *, size: bool, knee: float = 1 / 9) -> np.ndarray:
    """The most that IoU-balanced smooth-L1 can pull: w_loc IoU_B^lambda times the slope of smooth-L1."""
    iou = np.exp(-error) if size else np.clip((1 - error) / (1 + error), 0, None)
    bound: np.ndarray = w_loc * iou**lam * np.minimum(error / knee, 1)
    return bound


def assignment_over_training(pixels: np.ndarray, snapshots: Sequence[Mapping[str, Any]]) -> Picture:
    """The positive anchors of each object, below the boxes that they predict, a column a moment (PAA fig. 4a, 6, 7)."""
    title = "Positive anchors (above) and the boxes predicted from them (below); objects dashed"
    tiles = [_tile(pixels, shot, name) for name in ("anchor", "box") for shot in snapshots]
    data = [{"iteration": shot["iteration"], **positive} for shot in snapshots for positive in shot["positives"]]
    return Picture(sheet(title, tiles, columns=len(snapshots)), data)


def regression_gains(gains: Mapping[str, np.ndarray]) -> Picture:
    """How regression changes the IoU of the same boxes, at several moments (DIR fig. 2)."""
    figure, (axes,) = panels()
    edges = np.linspace(-1, 1, 81)
    data = []
    for number, (name, gain) in enumerate(gains.items()):
        share = np.histogram(gain, edges)[0] / max(len(gain), 1)
        mean = gain.mean() if len(gain) else float("nan")
        axes.stairs(share, edges, color=colour(number), linewidth=1.6, label=f"{name}, mean {mean:+.3f}")
        data += [{"row": name, "low": lo, "share": s} for lo, s in zip(edges[:-1], share, strict=True)]
    reach = max((float(np.abs(gain).max(initial=0)) for gain in gains.values()), default=0)
    axes.set_xlim(-max(reach, 0.1), max(reach, 0.1))
    axes.axvline(0, color=GREY, linewidth=0.8)
    label(axes, "What regression does to IoU", "IoU after less IoU before", "share of boxes")
    axes.legend(frameon=False, fontsize=9)
    return Picture(figure, data)


def _tile(pixels: np.ndarray, shot: Mapping[str, Any], name: str) -> tuple[str, Image.Image]:
    positives = shot["positives"]
    overlap = np.mean([positive[f"{name}_iou"] for positive in positives]) if positives else float("nan")
    head = f"step {shot['iteration']}: {len(positives)} positives, " if name == "anchor" else ""
    photograph, scale = fitted(pixels)
    tile = Image.blend(Image.new("RGB", photograph.size, WHITE), photograph, 0.75)
    for positive in positives:
        box = np.array([positive[f"{name}_{side}"] for side in ("x1", "y1", "x2", "y2")])
        framed(tile, scale * box, colour(int(positive["object"])))
    for number, box in enumerate(shot["objects"]):
        framed(tile, scale * np.array(box), WHITE)
        framed(tile, scale * np.array(box), colour(number), dashed=True)
    return f"{head}mean IoU {overlap:.2f}", tile
