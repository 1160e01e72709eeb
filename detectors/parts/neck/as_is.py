"""The maps of the backbone as they are, each in its own width: SSD."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from detectors.parts.neck import Neck, NeckConfig


@dataclass(frozen=True, kw_only=True)
class Config(NeckConfig):
    def build(self, channels: Sequence[int], strides: Sequence[int]) -> Neck:
        return AsIs(channels, strides)


class AsIs(Neck):
    def __init__(self, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.channels, self.strides, self._widths = channels[0], tuple(strides), tuple(channels)

    @property
    def widths(self) -> tuple[int, ...]:
        return self._widths

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        return list(features)
