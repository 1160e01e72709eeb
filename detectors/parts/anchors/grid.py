"""Anchors of given sizes and aspect ratios at every location, as RetinaNet, Faster R-CNN, ATSS and PAA use them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.config import Positive
from detectors.parts.anchors import AnchorMaker, Anchors, AnchorsConfig, Shape, centred, locations


@dataclass(frozen=True, kw_only=True)
class Config(AnchorsConfig):
    sizes: tuple[tuple[Positive, ...], ...]
    """side lengths in pixels, a tuple a level"""
    ratios: tuple[Positive, ...] = (0.5, 1.0, 2.0)
    """height / width; the area stays that of the size"""
    offset: float = 0.0
    """where the first anchor's centre stands, in strides: 0 at the image's corner, 0.5 in the middle of its cell"""
    rounded: bool = True
    """corners around the centre are rounded to whole pixels, as torchvision does"""

    def __post_init__(self) -> None:
        if not self.sizes or not all(self.sizes):
            raise ValueError(
                f"sizes = {self.sizes}: every level needs a size; give one tuple a level, e.g. ((32,), (64,))"
            )
        if not self.ratios:
            raise ValueError("ratios is empty: give at least one, e.g. (1.0,)")

    def build(self) -> "GridAnchors":
        return GridAnchors(self)


class GridAnchors(AnchorMaker):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    def per_location(self, level: int = 0) -> int:
        return len(self.config.sizes[level]) * len(self.config.ratios)

    def make(self, shapes: Sequence[Shape], strides: Sequence[Shape], device: torch.device) -> Anchors:
        if len(shapes) != len(self.config.sizes):
            raise ValueError(
                f"anchors.sizes has {len(self.config.sizes)} levels, the neck gives {len(shapes)}: make them equal"
            )
        levels = [
            (locations(shape, stride, self.config.offset).repeat(1, 2)[:, None] + self.cell(sizes)).reshape(-1, 4)
            for shape, stride, sizes in zip(shapes, strides, self.config.sizes, strict=True)
        ]
        return Anchors(
            boxes=torch.cat(levels).to(device),
            counts=tuple(len(level) for level in levels),
            shapes=tuple(shapes),
            strides=tuple(strides),
        )

    def cell(self, sizes: Sequence[float]) -> Tensor:
        """The anchors of one location around the origin: ratios outside, sizes inside."""
        heights = torch.tensor(self.config.ratios).sqrt()
        scales = torch.tensor([float(size) for size in sizes])
        boxes = centred((1 / heights[:, None] * scales).flatten(), (heights[:, None] * scales).flatten())
        return boxes.round() if self.config.rounded else boxes
