"""Pictures of rows: the image with its boxes, class names, and marks on crowds and difficult objects."""

import colorsys
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench.data.batches.decode import decode
from bench.data.store import Store
from bench.data.store.row import Row

Colour = tuple[int, int, int]
Point = tuple[float, float]

CAPTION = 16
GAP = 6
BACKGROUND = (250, 250, 250)


def contact_sheet(store: Store, indices: list[int], columns: int, tile: int) -> Image.Image:
    """Rows of a store side by side, each with its name beneath."""
    rows = [store.row(index) for index in indices]
    pictures = [annotated(row, store.class_names, tile) for row in rows]
    lines = [range(i, min(i + columns, len(rows))) for i in range(0, len(rows), columns)]
    heights = [max(pictures[i].height for i in line) + CAPTION + GAP for line in lines]
    sheet = Image.new("RGB", (columns * (tile + GAP) + GAP, sum(heights) + GAP), BACKGROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=10)
    for line, height, top in zip(lines, heights, np.cumsum([GAP, *heights[:-1]]).tolist(), strict=True):
        for x, i in zip(range(GAP, sheet.width, tile + GAP), line, strict=False):
            sheet.paste(pictures[i], (x + (tile - pictures[i].width) // 2, top))
            pen.text((x, top + height - CAPTION - GAP), caption(rows[i], tile), fill=(60, 60, 60), font=font)
    return sheet


def annotated(row: Row, names: tuple[str, ...], side: int) -> Image.Image:
    """A row's image, its longer side scaled to `side`, with everything that is known drawn onto it."""
    pixels = decode(row.image, row.orientation, where=row.source_id)
    scale = side / max(row.width, row.height)
    size = (max(1, round(row.width * scale)), max(1, round(row.height * scale)))
    picture = Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())).resize(
        size, Image.Resampling.BILINEAR
    )
    pen = ImageDraw.Draw(picture)
    for i in np.argsort(-row.area):
        box = [float(edge) * scale for edge in row.boxes[i]]
        label = int(row.labels[i])
        mark = "crowd" if row.iscrowd[i] else "difficult" if row.difficult[i] else ""
        _outline(pen, box, colour(label), dashed=bool(mark))
        if mark == "crowd":
            _hatch(pen, box, colour(label))
        _tag(pen, box, f"{names[label]} ({mark})" if mark else names[label], colour(label), picture.width)
    return picture


def colour(label: int) -> Colour:
    """Neighbouring labels get hues far apart: the golden ratio walks around the circle."""
    red, green, blue = colorsys.hsv_to_rgb(label * 0.618 % 1, 0.85, 0.9)
    return round(red * 255), round(green * 255), round(blue * 255)


def caption(row: Row, width: int) -> str:
    """The end of the source's name and the number of objects, as far as there is room."""
    text = f"{row.source_id} · {len(row)}"
    room = width // 6
    return text if len(text) <= room else "…" + text[1 - room :]


def _outline(pen: ImageDraw.ImageDraw, box: list[float], ink: Colour, dashed: bool) -> None:
    x1, y1, x2, y2 = box
    if not dashed:
        pen.rectangle((x1, y1, x2 - 1 if x2 - x1 > 1 else x2, y2 - 1 if y2 - y1 > 1 else y2), outline=ink, width=2)
        return
    for ax, ay, bx, by in ((x1, y1, x2, y1), (x2, y1, x2, y2), (x2, y2, x1, y2), (x1, y2, x1, y1)):
        _dashes(pen, (ax, ay), (bx, by), ink)


def _dashes(pen: ImageDraw.ImageDraw, start: Point, stop: Point, ink: Colour) -> None:
    pieces = max(1, int(math.dist(start, stop) // 4))
    x, y = (stop[0] - start[0]) / pieces, (stop[1] - start[1]) / pieces
    for i in range(0, pieces, 2):
        ends = [(start[0] + x * t, start[1] + y * t) for t in (i, i + 1)]
        pen.line(ends, fill=ink, width=2)


def _hatch(pen: ImageDraw.ImageDraw, box: list[float], ink: Colour) -> None:
    """Slanted lines across a crowd region."""
    x1, y1, x2, y2 = box
    for offset in range(0, int(x2 - x1 + y2 - y1), 12):
        start = (min(x1 + offset, x2), y1 + max(0, offset - (x2 - x1)))
        stop = (x1 + max(0, offset - (y2 - y1)), min(y1 + offset, y2))
        pen.line([start, stop], fill=ink, width=1)


def _tag(pen: ImageDraw.ImageDraw, box: list[float], text: str, ink: Colour, width: int) -> None:
    """The class name above the box, or inside it at the picture's top."""
    font = ImageFont.load_default(size=9)
    length = pen.textlength(text, font=font)
    x = max(0.0, min(box[0], width - length - 3))
    y = box[1] - 11 if box[1] >= 11 else box[1]
    pen.rectangle((x, y, x + length + 2, y + 10), fill=ink)
    dark = sum(ink) > 382
    pen.text((x + 1, y - 1), text, fill=(0, 0, 0) if dark else (255, 255, 255), font=font)
