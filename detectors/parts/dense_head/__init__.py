"""Role `dense_head`: what a one-stage detector says of every anchor, from the maps of its pyramid."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from detectors.config import PartConfig


@dataclass(frozen=True)
class DenseOutput:
    """Concatenated over levels, in the order of the anchors."""

    cls: Tensor
    """[B, A, C] logits"""
    loc: Tensor
    """[B, A, 4] codes of boxes"""
    quality: Tensor | None = None
    """[B, A] logits"""

    def float(self) -> "DenseOutput":
        """In float32, whatever precision the network ran in."""
        quality = None if self.quality is None else self.quality.float()
        return DenseOutput(self.cls.float(), self.loc.float(), quality)


@dataclass(frozen=True)
class DenseShape:
    """What a head must know of the rest of its detector."""

    channels: tuple[int, ...]
    """of each level's features"""
    anchors: tuple[int, ...]
    """a location, of each level"""
    cls_channels: int
    sigmoid: bool
    """whether class logits pass a sigmoid, and so start at a prior"""
    quality_on: Literal["cls", "loc"] | None = None
    """the tower that a quality branch grows on; None without one"""


class DenseHead(nn.Module):
    def forward(self, features: Sequence[Tensor]) -> DenseOutput:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class DenseHeadConfig(PartConfig):
    def build(self, shape: DenseShape) -> DenseHead:
        return super().build(shape)


def flatten(maps: Sequence[Tensor], channels: int) -> Tensor:
    """Maps [B, n * channels, H, W], a level each -> [B, A, channels] in the order of the anchors."""
    return torch.cat([level.permute(0, 2, 3, 1).reshape(len(level), -1, channels) for level in maps], dim=1)
