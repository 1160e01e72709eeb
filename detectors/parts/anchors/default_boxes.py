"""SSD's default boxes: a square of the level's size, one between it and the next level's, and pairs of oblong ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.config import Count, Positive
from detectors.parts.anchors import AnchorMaker, Anchors, AnchorsConfig, Shape, centred, locations


@dataclass(frozen=True, kw_only=True)
class Config(AnchorsConfig):
    sizes: tuple[Positive, ...]
    """side lengths in pixels: one a level, and one beyond the last"""
    ratios: tuple[tuple[Positive, ...], ...]
    """of long to short sides, a tuple a level; each makes a lying and a standing box"""
    steps: tuple[Count, ...]
    """pixels between locations, a level"""
    longest: Positive
    """longer sides are cut to this: the side of the images that the boxes are made for"""

    def __post_init__(self) -> None:
        if not len(self.sizes) - 1 == len(self.ratios) == len(self.steps):
            raise ValueError(
                f"sizes, ratios and steps have {len(self.sizes)}, {len(self.ratios)} and {len(self.steps)} entries: "
                f"give each level one of all, and sizes one more"
            )

    def build(self) -> AnchorMaker:
        return DefaultBoxes(self)


class DefaultBoxes(AnchorMaker):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config

    def per_location(self, level: int = 0) -> int:
        return 2 + 2 * len(self.config.ratios[level])

    def make(self, shapes: Sequence[Shape], strides: Sequence[Shape], device: torch.device) -> Anchors:
        if len(shapes) != len(self.config.steps):
            raise ValueError(
                f"anchors.steps has {len(self.config.steps)} levels, the neck gives {len(shapes)}: make them equal"
            )
        steps = tuple((step, step) for step in self.config.steps)
        levels = [
            (locations(shape, step, offset=0.5).repeat(1, 2)[:, None] + self.cell(level)).reshape(-1, 4)
            for level, (shape, step) in enumerate(zip(shapes, steps, strict=True))
        ]
        counts = tuple(len(level) for level in levels)
        return Anchors(boxes=torch.cat(levels).to(device), counts=counts, shapes=tuple(shapes), strides=steps)

    def cell(self, level: int) -> Tensor:
        """The boxes of one location around the origin."""
        size, next_size = self.config.sizes[level : level + 2]
        between = (size * next_size) ** 0.5
        sides = [(size, size), (between, between)]
        for ratio in self.config.ratios[level]:
            long, short = size * ratio**0.5, size / ratio**0.5
            sides += [(long, short), (short, long)]
        width, height = torch.tensor(sides).clamp(max=self.config.longest).unbind(1)
        return centred(width, height)
