"""ResNet and ResNeXt, the networks of torchvision: C2 to C5 at strides 4 to 32."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional

from detectors.config import NonNegative
from detectors.deformable import deform
from detectors.parts.backbone import Backbone, BackboneConfig, Norm, norm_layer
from detectors.parts.backbone.frozen_norm import normed

LAYOUTS: dict[str, tuple[str, list[int], int, int]] = {
    "resnet18": ("BasicBlock", [2, 2, 2, 2], 1, 64),
    "resnet34": ("BasicBlock", [3, 4, 6, 3], 1, 64),
    "resnet50": ("Bottleneck", [3, 4, 6, 3], 1, 64),
    "resnet101": ("Bottleneck", [3, 4, 23, 3], 1, 64),
    "resnet152": ("Bottleneck", [3, 8, 36, 3], 1, 64),
    "resnext50_32x4d": ("Bottleneck", [3, 4, 6, 3], 32, 4),
    "resnext101_32x4d": ("Bottleneck", [3, 4, 23, 3], 32, 4),
    "resnext101_64x4d": ("Bottleneck", [3, 4, 23, 3], 64, 4),
    "resnext101_32x8d": ("Bottleneck", [3, 4, 23, 3], 32, 8),
    "resnext152_32x8d": ("Bottleneck", [3, 8, 36, 3], 32, 8),
}
"""block, blocks a stage, groups, width a group"""

PUBLISHED = {
    "resnet18": "ResNet18_Weights.IMAGENET1K_V1",
    "resnet34": "ResNet34_Weights.IMAGENET1K_V1",
    "resnet50": "ResNet50_Weights.IMAGENET1K_V1",
    "resnet101": "ResNet101_Weights.IMAGENET1K_V1",
    "resnet152": "ResNet152_Weights.IMAGENET1K_V1",
    "resnext50_32x4d": "ResNeXt50_32X4D_Weights.IMAGENET1K_V1",
    "resnext101_64x4d": "ResNeXt101_64X4D_Weights.IMAGENET1K_V1",
    "resnext101_32x8d": "ResNeXt101_32X8D_Weights.IMAGENET1K_V1",
    "resnext101_32x4d": "timm/resnext101_32x4d.gluon_in1k",
}
"""Published ImageNet weights. The papers are of the days of torchvision's version 1; resnext101_64x4d is younger. Of
resnext101_32x4d torchvision has none; in timm's the layers have the same names."""


@dataclass(frozen=True, kw_only=True)
class Config(BackboneConfig):
    layout: Literal[
        "resnet18",
        "resnet34",
        "resnet50",
        "resnet101",
        "resnet152",
        "resnext50_32x4d",
        "resnext101_32x4d",
        "resnext101_64x4d",
        "resnext101_32x8d",
        "resnext152_32x8d",
    ] = "resnet50"
    norm: Norm = "frozen"
    norm_eps: NonNegative = 1e-5
    """Torchvision's published Faster R-CNN weights want 0."""
    frozen_stages: Annotated[int, Interval(ge=0, le=5)] = 2
    """How many of stem, C2, C3, C4, C5 are not trained."""
    deformable: tuple[Annotated[int, Interval(ge=2, le=5)], ...] = ()
    """Stages with deformable 3 x 3 convolutions: (3, 4, 5) in the papers."""
    modulated: bool = False
    """whether their taps have factors (DCN v2)"""

    def build(self) -> Backbone:
        return ResNet(self)

    def imagenet(self) -> tuple[str, ...]:
        return (PUBLISHED[self.layout],) if self.layout in PUBLISHED else ()


class ResNet(Backbone):
    """Its parameters have the names of torchvision's classifier."""

    strides = (4, 8, 16, 32)

    def __init__(self, config: Config) -> None:
        from torchvision.models import resnet

        super().__init__()
        name, blocks, groups, width = LAYOUTS[config.layout]
        block = getattr(resnet, name)
        norm = norm_layer(config.norm, config.norm_eps)
        net = resnet.ResNet(block, blocks, groups=groups, width_per_group=width, num_classes=1, norm_layer=norm)
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4
        for stage in config.deformable:
            deform(self.get_submodule(f"layer{stage - 1}"), config.modulated)
        self.channels = tuple(width * block.expansion for width in (64, 128, 256, 512))
        stages = [(self.conv1, self.bn1), (self.layer1,), (self.layer2,), (self.layer3,), (self.layer4,)]
        self.freeze([module for stage in stages[: config.frozen_stages] for module in stage])

    def forward(self, images: Tensor) -> list[Tensor]:
        features = self.maxpool(self.relu(normed(self.conv1, self.bn1, images)))
        levels = []
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in stage.children():
                features = _residual(block, features)
            levels.append(features)
        return levels


def _residual(block: nn.Module, x: Tensor) -> Tensor:
    """A block of torchvision's, its frozen normalisations taken along by the convolutions."""
    parts = dict(block.named_children())
    *pairs, last = [(parts[f"conv{i}"], parts[f"bn{i}"]) for i in (1, 2, 3) if f"conv{i}" in parts]
    out = shortcut = x
    for conv, norm in pairs:
        out = functional.relu_(normed(conv, norm, out))
    if "downsample" in parts:
        conv, norm = parts["downsample"].children()
        shortcut = normed(conv, norm, x)
    return functional.relu_(normed(*last, out).add_(shortcut))
