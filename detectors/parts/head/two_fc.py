"""Two fully connected layers shared by class and box: the head of Faster R-CNN with FPN."""

from dataclasses import dataclass

from torch import Tensor, nn

from detectors.config import Count
from detectors.parts.head import RoIHead, RoIHeadConfig


@dataclass(frozen=True, kw_only=True)
class Config(RoIHeadConfig):
    width: Count = 1024

    def build(self, channels: int, resolution: int, cls_channels: int, box_channels: int) -> RoIHead:
        return TwoFC(self, channels * resolution**2, cls_channels, box_channels)


class TwoFC(RoIHead):
    def __init__(self, config: Config, inputs: int, cls_channels: int, box_channels: int) -> None:
        super().__init__()
        self.shared = two_fc(inputs, config.width)
        self.cls = nn.Linear(config.width, cls_channels)
        self.box = nn.Linear(config.width, box_channels)
        for layer, std in ((self.cls, 0.01), (self.box, 0.001)):
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        features = self.shared(pooled)
        return self.cls(features), self.box(features)


def two_fc(inputs: int, width: int) -> nn.Sequential:
    """Pooled features [N, C, r, r] -> [N, width]; heads of qualities are made of it too."""
    layers = nn.Linear(inputs, width), nn.Linear(width, width)
    for layer in layers:
        nn.init.kaiming_uniform_(layer.weight, a=1)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(nn.Flatten(), layers[0], nn.ReLU(inplace=True), layers[1], nn.ReLU(inplace=True))
