"""Feature pyramid network, with the coarser levels that Faster R-CNN and RetinaNet add to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from detectors.config import Count
from detectors.parts.conv3x3 import Conv3x3
from detectors.parts.neck import Neck, NeckConfig


@dataclass(frozen=True, kw_only=True)
class Config(NeckConfig):
    channels: Count = 256
    finest: Count = 4
    """The stride of the finest level."""
    extra: Literal["none", "pool", "c5", "p5"] = "pool"
    """Coarser levels: none | one, by subsampling | two, by convolutions on the last level of backbone or pyramid."""

    def build(self, channels: Sequence[int], strides: Sequence[int]) -> Neck:
        if self.finest not in strides:
            raise ValueError(f"neck.finest = {self.finest}: the backbone has the strides {tuple(strides)}; name one")
        return FPN(self, channels, strides)


class FPN(Neck):
    def __init__(self, config: Config, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.first = list(strides).index(config.finest)
        self.extra = config.extra
        self.channels = config.channels
        inputs = channels[self.first :]
        self.inner = nn.ModuleList(nn.Conv2d(width, config.channels, 1) for width in inputs)
        self.outer = nn.ModuleList(Conv3x3(config.channels, config.channels) for _ in inputs)
        self.coarse = nn.ModuleList()
        if config.extra in ("c5", "p5"):
            source = inputs[-1] if config.extra == "c5" else config.channels
            self.coarse.extend(
                nn.Conv2d(width, config.channels, 3, stride=2, padding=1) for width in (source, config.channels)
            )
        added = {"none": 0, "pool": 1, "c5": 2, "p5": 2}[config.extra]
        self.strides = (*strides[self.first :], *(strides[-1] * 2**step for step in range(1, added + 1)))
        self._initialise()

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        features = features[self.first :]
        merged = self.inner[-1](features[-1])
        levels = [self.outer[-1](merged)]
        for level in range(len(features) - 2, -1, -1):
            lateral = self.inner[level](features[level])
            merged = lateral + functional.interpolate(merged, size=lateral.shape[-2:], mode="nearest")
            levels.insert(0, self.outer[level](merged))
        return [*levels, *self._coarser(features[-1], levels[-1])]

    def _coarser(self, c5: Tensor, p5: Tensor) -> list[Tensor]:
        if self.extra == "none":
            return []
        if self.extra == "pool":
            return [p5[:, :, ::2, ::2]]
        p6 = self.coarse[0](c5 if self.extra == "c5" else p5)
        return [p6, self.coarse[1](functional.relu(p6))]

    def _initialise(self) -> None:
        for layer in (*self.inner, *self.outer, *self.coarse):
            nn.init.kaiming_uniform_(layer.weight, a=1)
            nn.init.zeros_(layer.bias)
