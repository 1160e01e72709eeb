"""An image and its objects on their way to a batch, and the geometry that moves both."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as rle
from torch import Tensor
from torch.nn import functional as F

from bench.data.batches.decode import decode
from bench.data.input import InputConfig
from bench.data.store import Store
from bench.data.store.row import Annotations


@dataclass(frozen=True)
class Sample:
    """`paint` makes the pixels [3, H, W] uint8, last of all: so one decoded image at a time lies in the cache.
    The batch resizes them to `size` (height and width) if they are of another.

    One entry an object in all the others, in the frame of `size`; `masks` [G, H, W] uint8 where asked for.
    """

    paint: Callable[[], Tensor]
    size: tuple[int, int]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    area: NDArray[np.float64]
    iscrowd: NDArray[np.bool_]
    masks: Tensor | None = None

    def select(self, keep: NDArray[Any]) -> "Sample":
        """Only some of the objects."""
        masks = self.masks[torch.from_numpy(np.flatnonzero(keep))] if self.masks is not None else None
        return replace(
            self,
            boxes=self.boxes[keep],
            labels=self.labels[keep],
            area=self.area[keep],
            iscrowd=self.iscrowd[keep],
            masks=masks,
        )


def load(store: Store, index: int, config: InputConfig) -> Sample:
    """A row of a store as a sample of its full size."""
    found = store.annotations(index)
    ignored = found.difficult if config.difficult != "use" else np.zeros_like(found.difficult)
    masks = decode_masks(found) if config.masks else None

    def paint() -> Tensor:
        return decode(store.image(index), found.orientation, where=f"{store.path.name}: {found.source_id}")

    size = (found.height, found.width)
    sample = Sample(paint, size, found.boxes, found.labels, found.area, found.iscrowd | ignored, masks)
    return sample.select(~found.difficult) if config.difficult == "drop" else sample


def decode_masks(found: Annotations) -> Tensor:
    """[G, H, W] uint8; objects without a mask get an empty one."""
    masks = torch.zeros((len(found), found.height, found.width), dtype=torch.uint8)
    for i, counts in enumerate(found.masks or ()):
        if counts:
            masks[i] = torch.from_numpy(rle.decode(found.rle(i)))
    return masks


def flip(sample: Sample) -> Sample:
    """Mirrors left and right."""
    boxes = sample.boxes.copy()
    boxes[:, [0, 2]] = sample.size[1] - sample.boxes[:, [2, 0]]
    masks = sample.masks.flip(-1) if sample.masks is not None else None
    return replace(sample, paint=lambda: sample.paint().flip(-1), boxes=boxes, masks=masks)


def resize(sample: Sample, height: int, width: int) -> Sample:
    """Masks at once, by their nearest pixels. The image waits for its batch, where it is resized to its place."""
    if (height, width) == sample.size:
        return sample
    x, y = width / sample.size[1], height / sample.size[0]
    masks = sample.masks
    if masks is not None:
        masks = (
            F.interpolate(masks[None], size=(height, width), mode="nearest-exact")[0]
            if len(masks)
            else masks.new_zeros((0, height, width))
        )
    boxes = sample.boxes * np.array([x, y, x, y], np.float32)
    return replace(sample, size=(height, width), boxes=boxes, area=sample.area * (x * y), masks=masks)


def crop(sample: Sample, window: NDArray[np.int64], keep: NDArray[np.bool_]) -> Sample:
    """Cuts a window out; the objects that stay are clipped to it."""
    inside = sample.select(keep)
    x1, y1, x2, y2 = window.tolist()
    corner, limits = np.array([x1, y1] * 2, np.float32), np.array([x2 - x1, y2 - y1] * 2, np.float32)
    boxes = np.clip(inside.boxes - corner, 0, limits)
    masks = inside.masks[:, y1:y2, x1:x2] if inside.masks is not None else None
    size = (y2 - y1, x2 - x1)
    return replace(inside, paint=lambda: sample.paint()[:, y1:y2, x1:x2], size=size, boxes=boxes, masks=masks)


def pad(sample: Sample, left: int, top: int, height: int, width: int, fill: tuple[int, int, int]) -> Sample:
    """Lays a sample on a larger canvas of one colour."""
    rows, columns = sample.size

    def paint() -> Tensor:
        pixels = torch.tensor(fill, dtype=torch.uint8)[:, None, None].repeat(1, height, width)
        pixels[:, top : top + rows, left : left + columns] = sample.paint()
        return pixels

    masks = sample.masks
    if masks is not None:
        masks = F.pad(masks, (left, width - left - columns, top, height - top - rows))
    boxes = sample.boxes + np.array([left, top] * 2, np.float32)
    return replace(sample, paint=paint, size=(height, width), boxes=boxes, masks=masks)
