"""Role `head`: the layers that say what is in a box and how it should move."""

from dataclasses import dataclass

from torch import Tensor, nn

from detectors.config import PartConfig


class RoIHead(nn.Module):
    """`head(pooled [N, C, r, r]) -> (logits [N, cls_channels], codes [N, box_channels])`."""

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class RoIHeadConfig(PartConfig):
    """The role of heads on pooled boxes."""

    def build(self, channels: int, resolution: int, cls_channels: int, box_channels: int) -> RoIHead:
        return super().build(channels, resolution, cls_channels, box_channels)
