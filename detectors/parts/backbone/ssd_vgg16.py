"""VGG-16 as SSD uses it: dilated convolutions for its dense layers, a rescaled conv4_3, and four or five maps more."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import vgg

from detectors.config import Positive
from detectors.parts.backbone import Backbone, BackboneConfig

EXTRA = ((1024, 256, 512, 3, 2), (512, 128, 256, 3, 2), (256, 128, 256, 3, 1), (256, 128, 256, 3, 1))
"""input, squeezed and output channels, kernel and stride of each further map"""
EXTRA_512 = (*EXTRA[:2], (256, 128, 256, 3, 2), (256, 128, 256, 3, 2), (256, 128, 256, 4, 1))


@dataclass(frozen=True, kw_only=True)
class Config(BackboneConfig):
    input_size: Literal[300, 512] = 300
    """side of the images that it is made for"""
    scale: Positive = 20.0
    """length that conv4_3's features have at the start, at each location"""
    frozen_stages: Annotated[int, Interval(ge=0, le=4)] = 1
    """how many of the first four blocks are not trained"""

    def build(self) -> Backbone:
        return SSDVGG16(self)


class SSDVGG16(Backbone):
    def __init__(self, config: Config) -> None:
        super().__init__()
        layers = list(vgg.make_layers(vgg.cfgs["D"], batch_norm=False))
        pools = [index for index, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
        layers[pools[2]].ceil_mode = True
        self.scale = nn.Parameter(torch.full((512,), config.scale))
        self.features = nn.Sequential(*layers[: pools[3]])
        self.conv5 = nn.Sequential(*layers[pools[3] : pools[4]])
        self.fc = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            nn.Conv2d(512, 1024, 3, padding=6, dilation=6),
            nn.ReLU(inplace=True),
            nn.Conv2d(1024, 1024, 1),
            nn.ReLU(inplace=True),
        )
        extra = EXTRA if config.input_size == 300 else EXTRA_512
        self.extra = nn.ModuleList(_further(*shape) for shape in extra)
        self.channels = (512, 1024, *(shape[2] for shape in extra))
        self.strides = (8, 16, 32, 64, 100, 300) if config.input_size == 300 else (8, 16, 32, 64, 128, 256, 512)
        for layer in (*self.fc.modules(), *self.extra.modules()):
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.get_parameter("bias"))
        starts = [0, *pools[:3]]
        self.freeze([self.features[starts[i] : pools[i]] for i in range(config.frozen_stages)])

    def forward(self, images: Tensor) -> list[Tensor]:
        features = self.features(images)
        levels = [self.scale.view(1, -1, 1, 1) * functional.normalize(features)]
        features = self.fc(self.conv5(features))
        levels.append(features)
        for block in self.extra:
            features = block(features)
            levels.append(features)
        return levels

    def load_classifier_state(self, state: dict[str, Tensor]) -> None:
        """The thirteen convolutions of torchvision's `vgg16`."""
        first = len(self.features)
        ours = {name: value for name, value in self.state_dict().items() if name.startswith(("features", "conv5"))}
        for name in ours:
            part, index, parameter = name.split(".")
            ours[name] = state[f"features.{int(index) + (first if part == 'conv5' else 0)}.{parameter}"]
        self.load_state_dict(ours, strict=False)


def _further(inputs: int, squeezed: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    padding = 1 if stride == 2 else 0
    return nn.Sequential(
        nn.Conv2d(inputs, squeezed, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(squeezed, outputs, kernel, stride=stride, padding=1 if kernel == 4 else padding),
        nn.ReLU(inplace=True),
    )
