"""A few convolutions, trained from nothing within a CPU minute: for synthetic scenes, tests and the quickstart."""

from dataclasses import dataclass

from torch import Tensor, nn

from detectors.config import Count
from detectors.parts.backbone import Backbone, BackboneConfig, Norm, norm_layer


@dataclass(frozen=True, kw_only=True)
class Config(BackboneConfig):
    widths: tuple[Count, ...] = (16, 32, 64, 96, 128)
    """Channels at strides 2, 4, 8, ...; all but the first are given out."""
    norm: Norm = "sync"

    def __post_init__(self) -> None:
        if len(self.widths) < 2:
            raise ValueError(f"widths = {self.widths}: give at least two, for strides 2 and 4")

    def build(self) -> Backbone:
        return Tiny(self)


class Tiny(Backbone):
    def __init__(self, config: Config) -> None:
        super().__init__()
        norm = norm_layer(config.norm, 1e-5)
        inputs = (3, *config.widths[:-1])
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False), norm(width), nn.ReLU(True))
            for before, width in zip(inputs, config.widths, strict=True)
        )
        self.channels = config.widths[1:]
        self.strides = tuple(2**level for level in range(2, len(config.widths) + 1))

    def forward(self, images: Tensor) -> list[Tensor]:
        levels = []
        for stage in self.stages:
            images = stage(images)
            levels.append(images)
        return levels[1:]
