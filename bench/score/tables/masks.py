"""Masks in COCO's run-length form."""

from typing import Any

from pycocotools import mask as coco_mask

from bench.errors import UserError

Rle = dict[str, Any]
"""`size` [height, width] and `counts`, the compressed runs as bytes"""


def to_rle(segmentation: Any, width: int, height: int, where: str) -> Rle:
    """Polygons, uncompressed or compressed runs, as compressed runs."""
    try:
        if isinstance(segmentation, list):
            merged: Rle = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
            return merged
        counts = segmentation["counts"]
        if isinstance(counts, list):
            packed: Rle = coco_mask.frPyObjects(segmentation, height, width)
            return packed
        return {"size": list(segmentation["size"]), "counts": counts.encode() if isinstance(counts, str) else counts}
    except Exception as error:
        raise UserError(
            f"unreadable segmentation ({type(error).__name__})", where=where, remedy="give polygons or RLE"
        ) from None


def areas(masks: list[Rle]) -> list[float]:
    """One at a time: pycocotools 2.0.11 with numpy 2 fails on lists of more than 255."""
    return [float(coco_mask.area(mask)) for mask in masks]


def boxes(masks: list[Rle]) -> list[list[float]]:
    """[x, y, width, height] around each mask."""
    found: list[list[float]] = coco_mask.toBbox(masks).tolist() if masks else []
    return found
