"""No neck: the maps of the backbone as they are, from one stride on, brought to one width."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from detectors.config import Count
from detectors.parts.neck import Neck, NeckConfig


@dataclass(frozen=True, kw_only=True)
class Config(NeckConfig):
    channels: Count = 256
    finest: Count = 16
    """Maps of a smaller stride are not used."""

    def build(self, channels: Sequence[int], strides: Sequence[int]) -> Neck:
        return Plain(self, channels, strides)


class Plain(Neck):
    def __init__(self, config: Config, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.used = tuple(level for level, stride in enumerate(strides) if stride >= config.finest)
        self.channels = config.channels
        self.strides = tuple(strides[level] for level in self.used)
        self.project = nn.ModuleList(nn.Conv2d(channels[level], config.channels, 1) for level in self.used)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        return [project(features[level]) for project, level in zip(self.project, self.used, strict=True)]
