"""Two towers of convolutions shared by all levels: RetinaNet, FCOS, ATSS, PAA, FoveaBox."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Interval
from torch import Tensor, nn
from torch.nn import functional

from detectors.config import Count, Positive
from detectors.deformable import DeformableConv
from detectors.parts.conv3x3 import Conv3x3
from detectors.parts.dense_head import DenseHead, DenseHeadConfig, DenseOutput, DenseShape, flatten


@dataclass(frozen=True, kw_only=True)
class Config(DenseHeadConfig):
    convs: Annotated[int, Ge(0)] = 4
    """of each tower"""
    norm: Literal["none", "group"] = "none"
    groups: Count = 32
    """of the group normalisation"""
    scaled: bool = False
    """a trainable factor a level on the box codes"""
    positive_codes: bool = False
    """box codes pass a ReLU: for coders of distances"""
    deformable_last: bool = False
    """the last convolution of each tower samples where it likes"""
    modulated: bool = False
    """whether its taps have factors (DCN v2)"""
    prior: Annotated[float, Interval(gt=0, lt=1)] = 0.01
    """class probability at the start"""
    init_std: Positive = 0.01

    def build(self, shape: DenseShape) -> DenseHead:
        width = shape.channels[0]
        if set(shape.channels) != {width} or len(set(shape.anchors)) > 1:
            raise ValueError(
                "head.kind = 'towers' is shared by all levels: give them one width and as many anchors each"
            )
        if self.norm == "group" and width % self.groups:
            raise ValueError(f"head.groups = {self.groups} does not divide the neck's {width} channels: use a divisor")
        return TowerHead(self, shape)


class TowerHead(DenseHead):
    def __init__(self, config: Config, shape: DenseShape) -> None:
        super().__init__()
        width, anchors = shape.channels[0], shape.anchors[0]
        self.cls_channels, self.positive_codes, self.quality_on = (
            shape.cls_channels,
            config.positive_codes,
            shape.quality_on,
        )
        self.cls_tower, self.loc_tower = _tower(config, width), _tower(config, width)
        self.cls = _conv(width, anchors * shape.cls_channels, config.init_std)
        self.loc = _conv(width, anchors * 4, config.init_std)
        self.quality = _conv(width, anchors, config.init_std) if shape.quality_on else None
        self.scales = nn.Parameter(torch.ones(len(shape.channels))) if config.scaled else None
        if shape.sigmoid:
            nn.init.constant_(torch.as_tensor(self.cls.bias), -math.log((1 - config.prior) / config.prior))

    def forward(self, features: Sequence[Tensor]) -> DenseOutput:
        towers = {"cls": _through(self.cls_tower, features), "loc": _through(self.loc_tower, features)}
        quality = None if self.quality is None else self.quality(towers[self.quality_on or "loc"])
        return DenseOutput(
            cls=flatten(self.cls(towers["cls"]), self.cls_channels),
            loc=flatten([self._codes(codes, level) for level, codes in enumerate(self.loc(towers["loc"]))], 4),
            quality=None if quality is None else flatten(quality, 1).squeeze(2),
        )

    def _codes(self, codes: Tensor, level: int) -> Tensor:
        if self.scales is not None:
            codes = codes * self.scales[level]
        return functional.relu(codes) if self.positive_codes else codes


def _through(tower: nn.Sequential, levels: Sequence[Tensor]) -> Sequence[Tensor]:
    """All levels layer by layer: a convolution takes them together."""
    for layer in tower:
        levels = layer(levels) if isinstance(layer, Conv3x3) else [layer(level) for level in levels]
    return levels


def _tower(config: Config, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(config.convs):
        deformable = config.deformable_last and index == config.convs - 1
        layers.append(
            DeformableConv(width, width, modulated=config.modulated)
            if deformable
            else _conv(width, width, config.init_std)
        )
        if config.norm == "group":
            layers.append(nn.GroupNorm(config.groups, width))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _conv(inputs: int, outputs: int, std: float) -> Conv3x3:
    layer = Conv3x3(inputs, outputs)
    nn.init.normal_(layer.weight, std=std)
    nn.init.zeros_(torch.as_tensor(layer.bias))
    return layer
