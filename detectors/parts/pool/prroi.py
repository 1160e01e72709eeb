"""Precise RoI pooling: exact means over bins, whose gradients reach the boxes too (IoU-Net)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.ops.prroi_pool import prroi_pool
from detectors.parts.pool import Pool, PoolBoxes, PoolConfig


@dataclass(frozen=True, kw_only=True)
class Config(PoolConfig):
    def build(self, strides: Sequence[int]) -> Pool:
        return PrRoI(self, strides)


class PrRoI(Pool):
    """The level of a box is a choice, not a function that has a gradient."""

    def on(self, features: Sequence[Tensor]) -> PoolBoxes:
        """Maps are turned to channels_last once, which `prroi_pool` would do in every call."""
        maps = [level.contiguous(memory_format=torch.channels_last) for level in features[: len(self.strides)]]

        def pool(boxes: Tensor, image: Tensor) -> Tensor:
            level = self.level(boxes.detach())
            rois = torch.cat([image[:, None].to(boxes.dtype), boxes], 1)
            members = [(level == index).nonzero().squeeze(1) for index in range(len(self.strides))]
            pooled = [
                prroi_pool(maps[index], rois[member], self.config.resolution, 1 / self.strides[index])
                for index, member in enumerate(members)
            ]
            return torch.cat(pooled).index_select(0, torch.cat(members).argsort())

        return pool
