"""Anchors: the boxes (or points, as boxes of one stride) that a dense head judges, shared by all images of a shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch
from torch import Tensor, nn

from detectors.config import PartConfig

Shape = tuple[int, int]


@dataclass(frozen=True)
class Anchors:
    """Boxes concatenated over levels, in the order of a flattened [height, width, anchors a location] map."""

    boxes: Tensor
    """[A, 4] shared by all images, or [B, A, 4] for boxes of their own such as proposals"""
    counts: tuple[int, ...]
    """how many of the A belong to each level"""
    shapes: tuple[Shape, ...] = ()
    """(height, width) of each level's grid of locations; empty for boxes that lie on none"""
    strides: tuple[Shape, ...] = ()
    """(vertical, horizontal) pixels between locations, a level"""

    @classmethod
    def of(cls, boxes: Tensor) -> "Anchors":
        """Free boxes ([A, 4] or [B, A, 4]) as one level."""
        return cls(boxes=boxes, counts=(boxes.shape[-2],))

    def __len__(self) -> int:
        return self.boxes.shape[-2]

    @cached_property
    def level(self) -> Tensor:
        """[A] int64: the level of each box."""
        return self.per_level(list(range(len(self.counts))))

    @cached_property
    def grid(self) -> Tensor:
        """[L, 5] int64: first box, rows, columns, vertical and horizontal stride of each level's grid."""
        firsts = accumulate((0, *self.counts[:-1]))
        rows = [
            (first, *shape, *stride) for first, shape, stride in zip(firsts, self.shapes, self.strides, strict=True)
        ]
        return torch.tensor(rows, dtype=torch.int64, device=self.boxes.device).view(-1, 5)

    @cached_property
    def centers(self) -> Tensor:
        """[..., A, 2] (x, y)"""
        return (self.boxes[..., :2] + self.boxes[..., 2:]) / 2

    def per_level(self, values: Sequence[float]) -> Tensor:
        """One number a level, spread over its boxes: [A]. Built by filling, so that it never waits for a device."""
        device = self.boxes.device
        dtype = torch.int64 if all(isinstance(value, int) for value in values) else self.boxes.dtype
        pairs = zip(self.counts, values, strict=True)
        return torch.cat([torch.full((count,), value, dtype=dtype, device=device) for count, value in pairs])


@dataclass(frozen=True, kw_only=True)
class AnchorsConfig(PartConfig):
    """The role: builds an `AnchorMaker`."""

    def build(self) -> "AnchorMaker":
        return super().build()


class AnchorMaker(nn.Module):
    """Makes the anchors of a shape once and keeps the last few shapes, a device."""

    def __init__(self, keep: int = 32) -> None:
        super().__init__()
        self._keep = keep
        self._cache: dict[tuple[object, ...], Anchors] = {}

    def per_location(self, level: int = 0) -> int:
        """How many anchors stand at each location of a level."""
        raise NotImplementedError

    def make(self, shapes: Sequence[Shape], strides: Sequence[Shape], device: torch.device) -> Anchors:
        raise NotImplementedError

    def forward(self, shapes: Sequence[Shape], image_size: Shape, device: torch.device) -> Anchors:
        """The anchors for feature maps of the given (height, width) that cover a padded image of `image_size`."""
        key = (tuple(shapes), tuple(image_size), device)
        if key not in self._cache:
            if len(self._cache) >= self._keep:
                self._cache.pop(next(iter(self._cache)))
            strides = [(image_size[0] // rows, image_size[1] // columns) for rows, columns in shapes]
            self._cache[key] = self.make(shapes, strides, device)
        return self._cache[key]


def locations(shape: Shape, stride: Shape, offset: float = 0.0) -> Tensor:
    """[height * width, 2] (x, y) of a map's locations in pixels, `offset` in strides."""
    rows, columns = (
        (torch.arange(length, dtype=torch.float32) + offset) * step for length, step in zip(shape, stride, strict=True)
    )
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def centred(widths: Tensor, heights: Tensor) -> Tensor:
    """Boxes [N, 4] around the origin."""
    return torch.stack([-widths, -heights, widths, heights], dim=1) / 2
