"""Role `proposals`: boxes that may hold an object of any class, for a second stage to judge."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from detectors.config import PartConfig
from detectors.targets import Targets


@dataclass(frozen=True)
class Proposals:
    """P slots an image, best first; constants for all that comes after."""

    boxes: Tensor
    """[B, P, 4] within the image"""
    scores: Tensor
    """[B, P] in [0, 1]"""
    valid: Tensor
    """[B, P] bool: false where an image has fewer"""
    level: Tensor
    """[B, P] int64: the pyramid level that made it"""


class Proposer(nn.Module):
    """With targets, in training, it also gives its losses."""

    def forward(
        self, features: Sequence[Tensor], padded: tuple[int, int], sizes: Tensor, targets: Targets | None
    ) -> tuple[Proposals, dict[str, Tensor]]:
        """`padded` is the (height, width) of the batch, `sizes` [B, 2] holds those of the images."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ProposalsConfig(PartConfig):
    def build(self, channels: int, strides: Sequence[int]) -> Proposer:
        return super().build(channels, strides)
