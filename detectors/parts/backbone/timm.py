"""Any backbone of the timm package that gives a pyramid of features."""

from dataclasses import dataclass

from torch import Tensor

from detectors.parts.backbone import Backbone, BackboneConfig


@dataclass(frozen=True, kw_only=True)
class Config(BackboneConfig):
    name: str
    """timm's name of the network, such as `convnext_tiny`."""
    levels: tuple[int, ...] = (-4, -3, -2, -1)
    """Which of its levels are given out."""

    def build(self) -> Backbone:
        return Timm(self)


class Timm(Backbone):
    def __init__(self, config: Config) -> None:
        super().__init__()
        try:
            import timm
        except ImportError as error:
            raise ValueError(f"backbone.name = {config.name!r} needs the package timm: install it") from error
        if not timm.is_model(config.name):
            raise ValueError(f"backbone.name = {config.name!r} is no network of timm; see timm.list_models()")
        self.body = timm.create_model(config.name, features_only=True, pretrained=False, out_indices=config.levels)
        self.channels = tuple(self.body.feature_info.channels())
        self.strides = tuple(self.body.feature_info.reduction())

    def forward(self, images: Tensor) -> list[Tensor]:
        return list(self.body(images))

    def load_classifier_state(self, state: dict[str, Tensor]) -> None:
        super().load_classifier_state({f"body.{name}": value for name, value in state.items()})
