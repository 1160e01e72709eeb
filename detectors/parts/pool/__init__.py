"""Role `pool`: features of boxes, each from the level of the pyramid that fits its size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.config import Count, PartConfig, Positive

PoolBoxes = Callable[[Tensor, Tensor], Tensor]
"""(boxes [N, 4] in pixels, image of each [N]) -> [N, C, resolution, resolution]."""


@dataclass(frozen=True, kw_only=True)
class PoolConfig(PartConfig):
    resolution: Count = 7
    levels: Count = 4
    """Only this many levels are read, finest first."""
    canonical_size: Positive = 224.0
    """A square box of this side ..."""
    canonical_stride: Count = 16
    """... is pooled from the level of this stride, one of half the side from the next finer level."""

    def build(self, strides: Sequence[int]) -> "Pool":
        return super().build(strides)


class Pool:
    """`pool.on(features)` prepares a pyramid once; what it returns pools boxes from it as often as wanted."""

    def __init__(self, config: PoolConfig, strides: Sequence[int]) -> None:
        self.config = config
        self.strides = tuple(strides[: config.levels])

    def on(self, features: Sequence[Tensor]) -> PoolBoxes:
        raise NotImplementedError

    def level(self, boxes: Tensor) -> Tensor:
        """[N, 4] -> [N] int64: equation 1 of the FPN paper, with strides for levels."""
        area = (boxes[:, 2] - boxes[:, 0]).clamp(min=0) * (boxes[:, 3] - boxes[:, 1]).clamp(min=0)
        stride = self.config.canonical_stride * (area.sqrt() / self.config.canonical_size)
        step = torch.log2(stride / self.strides[0]) + 1e-6
        return step.clamp(0, len(self.strides) - 1).floor().long()
