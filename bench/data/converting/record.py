"""From what a format says about an image to a row: reads the image, checks every box, reports what it drops."""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.converting.encoded import BadImage, Header, inspect, oriented_size
from bench.data.converting.masks import BadMask, mask_area
from bench.data.converting.report import Report
from bench.data.store.row import Row

# The rounding of annotation tools puts edges a little outside the image; COCO's own scorer leaves them there.
OVERHANG = 1.0
VISIBLE_MOVE = 0.01
_FLOATS = struct.Struct("<4f")
MAX_IMAGE_BYTES = 2**30


class BadBox(ValueError):
    """A box that cannot be used; the message is the reason as reports print it."""


@dataclass
class Object:
    """An object as a format has it. `box` is x1, y1, x2, y2 in any state; `problem` says why a format gives it up.

    `outline` makes the counts of its mask for an image of a width and height, or raises BadMask.
    """

    where: str
    box: Sequence[Any] | None = None
    label: int | None = None
    problem: str = ""
    area: Any = None
    iscrowd: bool = False
    difficult: bool = False
    truncated: bool = False
    occluded: bool = False
    outline: Callable[[int, int], bytes] | None = None


@dataclass
class Record:
    """An image as a format has it: where its bytes are, its size if the format says one, its objects.

    `exact` keeps boxes that stand out of the image by a pixel at most as they are; `relative` boxes are in fractions
    of the image's sides.
    """

    source_id: str
    image_id: int
    path: Path | None = None
    image: bytes = b""
    size: tuple[int, int] | None = None
    objects: list[Object] = field(default_factory=list)
    exact: bool = False
    relative: bool = False
    problem: str = ""


Kept = tuple[Object, tuple[float, ...]]


def to_row(record: Record, report: Report) -> Row | None:
    """The row of a record, or None with the reason in the report."""
    report.images.seen += 1
    report.boxes.seen += len(record.objects)
    try:
        if record.problem:
            raise BadImage(record.problem)
        image = record.image or read_image(record.path)
        width, height, orientation = _upright(inspect(image), record.size)
    except BadImage as error:
        report.drop_image(str(error), record.source_id, len(record.objects))
        return None
    kept = _kept(record, width, height, report)
    report.images.kept += 1
    report.boxes.kept += len(kept)
    masks = [_mask(item, width, height, report) for item, _ in kept]
    areas = [_area(item, box, mask, (height, width)) for (item, box), mask in zip(kept, masks, strict=True)]
    return Row(
        source_id=record.source_id,
        image_id=record.image_id,
        width=width,
        height=height,
        orientation=orientation,
        image=image,
        boxes=np.array([box for _, box in kept], np.float32).reshape(-1, 4),
        labels=np.array([item.label for item, _ in kept], np.int64),
        area=np.array(areas, np.float64),
        masks=masks if any(masks) else None,
        iscrowd=_flags(kept, "iscrowd"),
        difficult=_flags(kept, "difficult"),
        truncated=_flags(kept, "truncated"),
        occluded=_flags(kept, "occluded"),
    )


def _kept(record: Record, width: int, height: int, report: Report) -> list[Kept]:
    """The objects whose boxes can be used, with those boxes."""
    kept: list[Kept] = []
    for item in record.objects:
        try:
            box, moved = check_box(item, width, height, record)
        except BadBox as error:
            report.drop_box(str(error), item.where)
            continue
        if moved > VISIBLE_MOVE:
            report.note("box clipped to the image", item.where)
        kept.append((item, box))
    return kept


def _flags(kept: list[Kept], name: str) -> NDArray[np.bool_]:
    return np.array([getattr(item, name) for item, _ in kept], bool)


def read_image(path: Path | None) -> bytes:
    if path is None:
        raise BadImage("image file is missing")
    try:
        if path.stat().st_size > MAX_IMAGE_BYTES:
            raise BadImage("image file is larger than a gigabyte")
        return path.read_bytes()
    except FileNotFoundError:
        raise BadImage("image file is missing") from None
    except (OSError, ValueError) as error:
        raise BadImage(f"image file cannot be read ({getattr(error, 'strerror', None) or error})") from None


def check_box(item: Object, width: int, height: int, record: Record) -> tuple[tuple[float, ...], float]:
    """The box inside the image and how far its edges were moved for that."""
    x1, y1, x2, y2 = _four_numbers(item)
    if record.relative:
        x1, y1, x2, y2 = x1 * width, y1 * height, x2 * width, y2 * height
    if not all(map(math.isfinite, (x1, y1, x2, y2))):
        raise BadBox("box has NaN or infinite coordinates")
    if x2 < x1 or y2 < y1:
        raise BadBox("box is inverted (negative width or height)")
    if x2 == x1 or y2 == y1:
        raise BadBox("box has no area")
    if item.label is None:
        raise BadBox("class is not among the data set's classes")
    clipped = (max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height)))
    if clipped[2] <= clipped[0] or clipped[3] <= clipped[1]:
        raise BadBox("box lies outside the image")
    moved = max(abs(a - b) for a, b in zip(clipped, (x1, y1, x2, y2), strict=True))
    if record.exact and moved <= OVERHANG:
        clipped, moved = (x1, y1, x2, y2), 0.0
    left, top, right, bottom = _FLOATS.unpack(_FLOATS.pack(*clipped))
    if not (right > left and bottom > top):
        raise BadBox("box has no area")
    return clipped, moved


def _four_numbers(item: Object) -> tuple[float, float, float, float]:
    if item.problem:
        raise BadBox(item.problem)
    if item.box is None:
        raise BadBox("box is missing")
    try:
        x1, y1, x2, y2 = map(float, item.box)
    except (TypeError, ValueError, OverflowError):
        raise BadBox("box is not four numbers") from None
    return x1, y1, x2, y2


def _upright(header: Header, annotated: tuple[int, int] | None) -> tuple[int, int, int]:
    """Width, height and the orientation to apply. Where the annotations name a size, boxes are in that frame."""
    if header.orientation == 1 or annotated is None or annotated == oriented_size(header):
        width, height = oriented_size(header)
        orientation = header.orientation
    else:
        width, height, orientation = header.width, header.height, 1
    if annotated is not None and annotated != (width, height):
        raise BadImage(
            f"image is not of the size that its annotations say ({annotated[0]}x{annotated[1]}, not {width}x{height})"
        )
    return width, height, orientation


def _area(item: Object, box: tuple[float, ...], mask: bytes, size: tuple[int, int]) -> float:
    """The source's area if it has a usable one, else the mask's, else the box's."""
    try:
        area = float(item.area)
        if math.isfinite(area) and area >= 0:
            return area
    except (TypeError, ValueError, OverflowError):
        pass
    return mask_area(mask, *size) if mask else (box[2] - box[0]) * (box[3] - box[1])


def _mask(item: Object, width: int, height: int, report: Report) -> bytes:
    try:
        return item.outline(width, height) if item.outline else b""
    except BadMask:
        report.note("mask cannot be used, box kept", item.where)
        return b""
