"""VGG-16 as SSD uses it: dilated convolutions for its dense layers, a rescaled conv4_3, and four or five maps more."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from torch import Tensor, nn
from torch.nn import functional

from detectors.config import Positive
from detectors.parts.backbone import Backbone, BackboneConfig

EXTRA = ((1024, 256, 512, 3, 2), (512, 128, 256, 3, 2), (256, 128, 256, 3, 1), (256, 128, 256, 3, 1))
"""input, squeezed and output channels, kernel and stride of each further map"""
EXTRA_512 = (*EXTRA[:2], (256, 128, 256, 3, 2), (256, 128, 256, 3, 2), (256, 128, 256, 4, 1))
DENSE = tuple(f"classifier.{layer}.{parameter}" for layer in (0, 3) for parameter in ("weight", "bias"))
"""the classifier's layers that become convolutions"""


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

    def imagenet(self) -> tuple[str, ...]:
        """SSD was made from the first, which torchvision has without dense layers."""
        return ("VGG16_Weights.IMAGENET1K_FEATURES", "VGG16_Weights.IMAGENET1K_V1")


class SSDVGG16(Backbone):
    def __init__(self, config: Config) -> None:
        from torchvision.models import vgg

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

    def load_classifier_state(self, state: dict[str, Tensor]) -> list[str]:
        """Of torchvision's `vgg16` the convolutions and, where they hold numbers, the dense layers in part."""
        taken = {self._name(name): value for name, value in state.items()} | _dense_as_convolutions(state)
        own = [name for name in self.state_dict() if name not in taken and name.startswith(("scale", "fc", "extra"))]
        return self.take(taken, own)

    def _name(self, name: str) -> str:
        part, index, parameter = (*name.split("."), "", "")[:3]
        behind = int(index) - len(self.features) if part == "features" and index.isdigit() else -1
        return f"conv5.{behind}.{parameter}" if behind >= 0 else name


def _dense_as_convolutions(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """VGG's fc6 and fc7 as the dilated convolutions of DeepLab and SSD: every fourth channel, every third location."""
    if not all(name in state and state[name].isfinite().all() for name in DENSE):
        return {}
    fc6, fc7 = state["classifier.0.weight"].unflatten(1, (512, 7, 7)), state["classifier.3.weight"]
    return {
        "fc.1.weight": fc6[::4, :, ::3, ::3],
        "fc.1.bias": state["classifier.0.bias"][::4],
        "fc.3.weight": fc7[::4, ::4, None, None],
        "fc.3.bias": state["classifier.3.bias"][::4],
    }


def _further(inputs: int, squeezed: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    padding = 1 if stride == 2 else 0
    return nn.Sequential(
        nn.Conv2d(inputs, squeezed, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(squeezed, outputs, kernel, stride=stride, padding=1 if kernel == 4 else padding),
        nn.ReLU(inplace=True),
    )
