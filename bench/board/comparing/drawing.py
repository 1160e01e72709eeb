"""One image under two rows: the objects, what each row found of them, and what it found that is not there."""

import io

import numpy as np
from PIL import Image, ImageDraw

from bench.board.comparing.compare import Side
from bench.data.batches.decode import decode
from bench.data.store import Store

SHOWN_SCORE = 0.3
HALF = 0
"""the place of IoU .5 among the thresholds of matching"""
WIDTH = 420
GAP = 8
OBJECT, RIGHT, WRONG = (255, 255, 255), (40, 200, 90), (240, 70, 60)


def draw_both(store: Store, index: int, a: Side, b: Side) -> bytes:
    """Left a, right b, as WebP: objects white, right boxes green, wrong ones red."""
    row = store.row(index)
    pixels = np.ascontiguousarray(decode(row.image, row.orientation, where=row.source_id).permute(1, 2, 0).numpy())
    whole = Image.fromarray(pixels)
    scale = WIDTH / whole.width
    whole = whole.resize((WIDTH, max(1, round(whole.height * scale))), Image.Resampling.BILINEAR)
    sheet = Image.new("RGB", (2 * WIDTH + GAP, whole.height), (128, 128, 128))
    for left, side in ((0, a), (WIDTH + GAP, b)):
        picture = whole.copy()
        _draw(ImageDraw.Draw(picture), side, index, scale)
        sheet.paste(picture, (left, 0))
    out = io.BytesIO()
    sheet.save(out, "WEBP", quality=70)
    return out.getvalue()


def _draw(pen: ImageDraw.ImageDraw, side: Side, index: int, scale: float) -> None:
    truth, matches, detections = side.scores.truth, side.scores.matches, side.scores.detections
    for box in truth.boxes[truth.image == index]:
        pen.rectangle(_corners(box, scale), outline=OBJECT, width=1)
    for place in np.flatnonzero((matches.image == index) & (matches.score >= SHOWN_SCORE))[::-1]:
        if matches.ignored[HALF, place]:
            continue
        ink = RIGHT if matches.true[HALF, place] else WRONG
        corners = _corners(detections.boxes[matches.detection[place]], scale)
        pen.rectangle(corners, outline=ink, width=2)
        name = truth.class_names[int(matches.label[place])]
        pen.text(
            (corners[0] + 3, corners[1] + 1),
            f"{name} {matches.score[place]:.2f}",
            fill=ink,
            stroke_width=1,
            stroke_fill=(0, 0, 0),
        )


def _corners(box: np.ndarray, scale: float) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(edge) * scale for edge in box)
    return x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)
