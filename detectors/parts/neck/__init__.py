"""Role `neck`: from a backbone's maps to the pyramid that heads read, all of one width."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from detectors.config import PartConfig


class Neck(nn.Module):
    channels: int
    strides: tuple[int, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level."""
        return (self.channels,) * len(self.strides)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class NeckConfig(PartConfig):
    def build(self, channels: Sequence[int], strides: Sequence[int]) -> Neck:
        return super().build(channels, strides)
