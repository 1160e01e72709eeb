"""Masks of any source as COCO's compressed RLE counts, checked before the C code of pycocotools sees them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle

# Polygons that reach further out than this many image sides are damaged; drawing them would take gigabytes.
REACH = 4


class BadMask(ValueError):
    """A mask that cannot be used."""


def of_pixels(pixels: NDArray[np.uint8]) -> bytes:
    """The counts of a [H, W] mask of zeros and ones."""
    return bytes(rle.encode(np.asfortranarray(pixels))["counts"])


def of_segmentation(segmentation: Any, width: int, height: int) -> bytes:
    """The counts of a COCO segmentation: polygons, or RLE with a list or a string of counts. b"" for an empty one."""
    if not segmentation:
        return b""
    if isinstance(segmentation, dict):
        return _of_rle(segmentation, width, height)
    if isinstance(segmentation, list):
        return of_polygons(segmentation, width, height)
    raise BadMask("neither polygons nor RLE")


def of_polygons(polygons: Sequence[Any], width: int, height: int) -> bytes:
    """The union of polygons x1, y1, x2, y2, …; degenerate ones of fewer than three points are left out."""
    usable = [_points(polygon, REACH * max(width, height)) for polygon in polygons]
    usable = [polygon for polygon in usable if len(polygon) >= 6]
    if not usable:
        raise BadMask("no polygon of three points")
    return bytes(rle.merge(rle.frPyObjects(usable, height, width))["counts"])


def mask_area(counts: bytes, height: int, width: int) -> float:
    return float(rle.area({"size": [height, width], "counts": counts}))


def _points(polygon: Any, limit: float) -> list[float]:
    try:
        points = list(map(float, polygon))
    except (TypeError, ValueError, OverflowError):
        raise BadMask("a polygon that is not a list of numbers") from None
    # A sum is finite only if all its terms are; and only then can min and max be trusted.
    possible = not points or (math.isfinite(sum(points)) and -limit <= min(points) and max(points) <= limit)
    if len(points) % 2 or not possible:
        raise BadMask("a polygon with an odd or impossible coordinate")
    return points


def _of_rle(segmentation: dict[str, Any], width: int, height: int) -> bytes:
    counts = segmentation.get("counts")
    if segmentation.get("size") != [height, width]:
        raise BadMask("RLE of another size")
    if isinstance(counts, str):
        counts = counts.encode("ascii", "replace")
        check_counts(counts, width, height)
        return counts
    if not isinstance(counts, list) or not all(type(run) is int and run >= 0 for run in counts):
        raise BadMask("RLE without counts")
    if sum(counts) != width * height:
        raise BadMask("RLE that does not fill the image")
    return bytes(rle.frPyObjects({"size": [height, width], "counts": counts}, height, width)["counts"])


def check_counts(counts: bytes, width: int, height: int) -> None:
    """Compressed counts must be well-formed and fill the image; the C decoder would write past its buffer."""
    runs: list[int] = []
    at = 0
    while at < len(counts):
        value = shift = 0
        while True:
            if at >= len(counts) or not 48 <= counts[at] < 112 or shift > 30:
                raise BadMask("RLE with impossible counts")
            bits = counts[at] - 48
            value |= (bits & 0x1F) << shift
            shift, at = shift + 5, at + 1
            if not bits & 0x20:
                break
        if bits & 0x10:
            value -= 1 << shift
        if len(runs) > 2:
            value += runs[-2]
        if value < 0:
            raise BadMask("RLE with a negative count")
        runs.append(value)
    if sum(runs) != width * height:
        raise BadMask("RLE that does not fill the image")
