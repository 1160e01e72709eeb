"""One convolution a level for classes and one for boxes, without towers: SSD."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from detectors.parts.dense_head import DenseHead, DenseHeadConfig, DenseOutput, DenseShape, flatten


@dataclass(frozen=True, kw_only=True)
class Config(DenseHeadConfig):
    def build(self, shape: DenseShape) -> DenseHead:
        if shape.quality_on is not None:
            raise ValueError("quality: head.kind = 'ssd' has no towers for it to grow on; leave it null")
        return SSDHead(shape)


class SSDHead(DenseHead):
    def __init__(self, shape: DenseShape) -> None:
        super().__init__()
        self.cls_channels = shape.cls_channels
        pairs = list(zip(shape.channels, shape.anchors, strict=True))
        self.cls = nn.ModuleList(nn.Conv2d(width, n * shape.cls_channels, 3, padding=1) for width, n in pairs)
        self.loc = nn.ModuleList(nn.Conv2d(width, n * 4, 3, padding=1) for width, n in pairs)
        for layer in (*self.cls, *self.loc):
            nn.init.xavier_uniform_(layer.get_parameter("weight"))
            nn.init.zeros_(layer.get_parameter("bias"))

    def forward(self, features: Sequence[Tensor]) -> DenseOutput:
        cls = [layer(level) for layer, level in zip(self.cls, features, strict=True)]
        loc = [layer(level) for layer, level in zip(self.loc, features, strict=True)]
        return DenseOutput(cls=flatten(cls, self.cls_channels), loc=flatten(loc, 4))
