"""VGG-16: the pooled outputs of blocks 2 to 5, at strides 4 to 32."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval
from torch import Tensor, nn

from detectors.parts.backbone import Backbone, BackboneConfig


@dataclass(frozen=True, kw_only=True)
class Config(BackboneConfig):
    batch_norm: bool = False
    frozen_stages: Annotated[int, Interval(ge=0, le=5)] = 2
    """How many of the five blocks are not trained."""

    def build(self) -> Backbone:
        return VGG16(self)

    def imagenet(self) -> tuple[str, ...]:
        if self.batch_norm:
            return ("VGG16_BN_Weights.IMAGENET1K_V1",)
        return ("VGG16_Weights.IMAGENET1K_V1", "VGG16_Weights.IMAGENET1K_FEATURES")


class VGG16(Backbone):
    """Its parameters have the names of torchvision's classifier."""

    channels = (128, 256, 512, 512)
    strides = (4, 8, 16, 32)

    def __init__(self, config: Config) -> None:
        from torchvision.models import vgg

        super().__init__()
        self.features = vgg.make_layers(vgg.cfgs["D"], config.batch_norm)
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.get_parameter("bias"))
        ends = [1 + index for index, layer in enumerate(self.features) if isinstance(layer, nn.MaxPool2d)]
        self.blocks = list(zip([0, *ends], ends, strict=False))
        self.freeze([self.features[start:end] for start, end in self.blocks[: config.frozen_stages]])

    def forward(self, images: Tensor) -> list[Tensor]:
        levels = []
        for start, end in self.blocks:
            images = self.features[start:end](images)
            levels.append(images)
        return levels[1:]
