"""Photographs with boxes on them, side by side on a sheet: pixels are drawn at once, where charts need a layout."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TILE = 400
"""pixels of a photograph's longer side"""
GAP = 16
COLUMNS = 4
TITLE, NAME, LABEL = 20, 15, 12
"""sizes of letters"""
LINE, DASH, SPACE = 2, 8, 5
BLACK, WHITE = "#000000", "#FFFFFF"


def fitted(pixels: np.ndarray) -> tuple[Image.Image, float]:
    """A photograph, [H, W, 3] uint8, as large as a tile may be, and by how much its boxes grow."""
    whole = Image.fromarray(np.ascontiguousarray(pixels))
    scale = TILE / max(whole.size)
    size = max(1, round(whole.width * scale)), max(1, round(whole.height * scale))
    return whole.resize(size, Image.Resampling.BILINEAR), scale


def sheet(title: str, tiles: Sequence[tuple[str, Image.Image]], columns: int = COLUMNS) -> Image.Image:
    """Tiles line by line, each below its name."""
    columns = min(columns, max(len(tiles), 1))
    lines = [tiles[start : start + columns] for start in range(0, len(tiles), columns)]
    heights = [NAME + GAP + max(tile.height for _, tile in line) for line in lines]
    top = TITLE + 2 * GAP
    width = max(columns * (TILE + GAP) + GAP, round(letters(TITLE).getlength(title)) + 2 * GAP)
    made = Image.new("RGB", (width, top + sum(heights) + GAP), WHITE)
    pen = ImageDraw.Draw(made)
    pen.text((GAP, GAP), title, fill=BLACK, font=letters(TITLE))
    for line, height in zip(lines, heights, strict=True):
        for column, (name, tile) in enumerate(line):
            left = GAP + column * (TILE + GAP)
            pen.text((left, top), name, fill=BLACK, font=letters(NAME))
            made.paste(tile, (left, top + NAME + 6))
        top += height
    return made


def framed(tile: Image.Image, box: np.ndarray, colour: str, text: str = "", dashed: bool = False) -> None:
    """A box with words above it, or below where it is dashed, but never outside the tile."""
    pen = ImageDraw.Draw(tile)
    x1, y1, x2, y2 = (float(edge) for edge in box)
    x2, y2 = max(x2, x1), max(y2, y1)
    if dashed:
        _dashes(pen, (x1, y1, x2, y2), colour)
    else:
        pen.rectangle((x1, y1, x2, y2), outline=colour, width=LINE)
    if text:
        font = letters(LABEL)
        width, height = font.getlength(text) + 4, LABEL + 4
        left = max(0.0, min(x1, tile.width - width))
        top = min(y2, tile.height - height) if dashed else max(0.0, y1 - height)
        pen.rectangle((left, top, left + width, top + height), fill=colour)
        pen.text((left + 2, top + 1), text, fill=BLACK, font=font)


def _dashes(pen: ImageDraw.ImageDraw, box: tuple[float, float, float, float], colour: str) -> None:
    x1, y1, x2, y2 = box
    for start in np.arange(x1, x2, DASH + SPACE):
        for y in (y1, y2):
            pen.line((start, y, min(start + DASH, x2), y), fill=colour, width=LINE)
    for start in np.arange(y1, y2, DASH + SPACE):
        for x in (x1, x2):
            pen.line((x, start, x, min(start + DASH, y2)), fill=colour, width=LINE)


@cache
def letters(size: int) -> ImageFont.FreeTypeFont:
    """Those of the charts."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)
