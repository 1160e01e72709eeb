"""The best and the worst images of an evaluation, with what was there and what was found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from bench.score.measures.calibration import true_iou
from bench.score.measures.lrp import THRESHOLD
from bench.score.pictures.picture import Picture
from bench.score.pictures.tiles import fitted, framed, sheet
from bench.score.protocols.matching import Matches
from bench.score.resampling.statistics import half_matches
from bench.score.scores import Scores

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
    iou = true_iou(scores.truth, scores.detections, matches)
    errors = image_errors(scores, min_score, matches)
    chosen = errors[:count] if which == "best" else errors[::-1][:count]
    tiles = [
        (_name(scores, error), _tile(scores, matches, iou, error.image, load(error.image), min_score))
        for error in chosen
    ]
    title = f"{which.capitalize()} images: found (green, IoU), false (orange), missed (red), objects dashed"
    return Picture(sheet(title, tiles), [vars(error) for error in chosen])


def _name(scores: Scores, error: ImageError) -> str:
    truth = scores.truth
    name = truth.source_ids[error.image] if truth.source_ids else str(truth.image_ids[error.image])
    return f"{name[-28:]}  error {error.error:.2f}"


def _tile(
    scores: Scores, matches: Matches, iou: np.ndarray, image: int, pixels: np.ndarray, min_score: float
) -> Image.Image:
    """One image with its objects, dashed, and with what was found of at least the minimal score."""
    truth, found = scores.truth, scores.detections
    tile, scale = fitted(pixels)
    own = np.flatnonzero((matches.image == image) & (matches.score >= min_score) & ~matches.ignored[0])
    hit = set(matches.matched[0, own][matches.true[0, own]].tolist())
    for g in np.flatnonzero((truth.image == image) & ~truth.iscrowd):
        text = "" if g in hit else truth.class_names[truth.labels[g]]
        framed(tile, scale * truth.boxes[g], THERE if g in hit else MISSED, text, dashed=True)
    for d in own:
        right = matches.true[0, d]
        text = f"{truth.class_names[matches.label[d]]} {matches.score[d]:.2f}" + (f", {iou[d]:.2f}" if right else "")
        framed(tile, scale * found.boxes[matches.detection[d]], RIGHT if right else WRONG, text)
    return tile
