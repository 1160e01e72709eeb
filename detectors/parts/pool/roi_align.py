"""RoIAlign: bilinear samples, a few a bin."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge
from torch import Tensor

from detectors.ops.pyramid_roi_align import pyramid_roi_align
from detectors.parts.pool import Pool, PoolBoxes, PoolConfig


@dataclass(frozen=True, kw_only=True)
class Config(PoolConfig):
    samples: Annotated[int, Ge(0)] = 2
    """Samples a bin and side; 0: one a cell of the map that the bin covers."""
    aligned: bool = False
    """Shift by half a cell, as detectron2 does; torchvision's detectors do not."""

    def build(self, strides: Sequence[int]) -> Pool:
        return RoIAlign(self, strides)


class RoIAlign(Pool):
    config: Config

    def on(self, features: Sequence[Tensor]) -> PoolBoxes:
        config = self.config
        pooled = pyramid_roi_align(
            features[: len(self.strides)],
            self.strides,
            resolution=config.resolution,
            samples=config.samples,
            aligned=config.aligned,
        )
        return lambda boxes, image: pooled(boxes, image, self.level(boxes))
