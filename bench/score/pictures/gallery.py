"""The best and the worst images of an evaluation, with what was there and what was found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.score.calibration import true_iou
from bench.score.lrp import THRESHOLD
from bench.score.matching import Matches
from bench.score.pictures.picture import Picture
from bench.score.scores import Scores
from bench.score.statistics import half_matches

LoadImage = Callable[[int], np.ndarray]
"""index of an image -> its pixels, [H, W, 3] uint8"""
RIGHT, WRONG, MISSED, THERE = "#00C48C", "#FF8C1A", "#FF2D55", "#FFFFFF"
MIN_SCORE = 0.3


@dataclass(frozen=True)
class ImageError:
    """LRP error of one image, over the detections of at least the minimal score: 0 perfect, 1 useless."""

    image: int
    error: float
    found: int
    false: int
    missed: int


def image_errors(scores: Scores, min_score: float = MIN_SCORE, matches: Matches | None = None) -> list[ImageError]:
    """Of every image with objects or detections that count, the best first."""
    matches = half_matches(scores) if matches is None else matches
    iou = true_iou(scores.truth, scores.detections, matches)
    kept = matches.score >= min_score
    right = kept & matches.true[0]
    count = scores.truth.num_images
    found = np.bincount(matches.image[right], minlength=count)
    false = np.bincount(matches.image[kept & ~matches.true[0] & ~matches.ignored[0]], minlength=count)
    missed = np.bincount(matches.positive_image, minlength=count) - found
    distance = np.bincount(matches.image[right], (1 - iou[right]) / (1 - THRESHOLD), count)
    total = found + false + missed
    errors = (distance + false + missed) / np.maximum(total, 1)
    images = np.flatnonzero(total > 0)
    order = images[np.argsort(errors[images], kind="stable")]
    return [ImageError(int(i), float(errors[i]), int(found[i]), int(false[i]), int(missed[i])) for i in order]


def gallery(
    scores: Scores,
    load: LoadImage,
    which: Literal["best", "worst"] = "worst",
    *,
    count: int = 8,
    min_score: float = MIN_SCORE,
) -> Picture:
    matches = half_matches(scores)
    errors = image_errors(scores, min_score, matches)
    chosen = errors[:count] if which == "best" else errors[::-1][:count]
    columns = min(4, max(len(chosen), 1))
    lines = -(-max(len(chosen), 1) // columns)
    figure = Figure(figsize=(4 * columns, 3.6 * lines + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    title = f"{which.capitalize()} images: found (green, IoU), false (orange), missed (red), objects dashed"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    for place, error in enumerate(chosen):
        axes = figure.add_subplot(lines, columns, place + 1)
        _show(axes, scores, matches, error, load(error.image), min_score)
    return Picture(figure, [vars(error) for error in chosen])


def _show(
    axes: Axes, scores: Scores, matches: Matches, error: ImageError, pixels: np.ndarray, min_score: float
) -> None:
    truth, found = scores.truth, scores.detections
    axes.imshow(pixels)
    axes.set_axis_off()
    name = truth.source_ids[error.image] if truth.source_ids else str(truth.image_ids[error.image])
    axes.set_title(f"{name[-28:]}  error {error.error:.2f}", fontsize=9, loc="left")
    own = np.flatnonzero((matches.image == error.image) & (matches.score >= min_score) & ~matches.ignored[0])
    hit = set(matches.matched[0, own][matches.true[0, own]].tolist())
    iou = true_iou(truth, found, matches)
    for g in np.flatnonzero((truth.image == error.image) & ~truth.iscrowd):
        text = "" if g in hit else truth.class_names[truth.labels[g]]
        _box(axes, truth.boxes[g], THERE if g in hit else MISSED, text, dashed=True)
    for d in own:
        right = matches.true[0, d]
        text = f"{truth.class_names[matches.label[d]]} {matches.score[d]:.2f}" + (f", {iou[d]:.2f}" if right else "")
        _box(axes, found.boxes[matches.detection[d]], RIGHT if right else WRONG, text)


def _box(axes: Axes, box: np.ndarray, colour: str, text: str, dashed: bool = False) -> None:
    x1, y1, x2, y2 = box
    style = "--" if dashed else "-"
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=1.6, linestyle=style))
    if text:
        at = (x1, y2) if dashed else (x1, y1)
        back = {"facecolor": colour, "edgecolor": "none", "pad": 1, "alpha": 0.85}
        side = "top" if dashed else "bottom"
        axes.text(*at, text, fontsize=6.5, color="black", va=side, bbox=back, clip_on=True)
