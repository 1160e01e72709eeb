"""Any backbone of the timm package that gives a pyramid of features."""

from dataclasses import dataclass
from types import ModuleType

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

    def imagenet(self) -> tuple[str, ...]:
        found = _timm_with(self.name).get_pretrained_cfg(self.name)
        return (f"timm/{found.architecture}.{found.tag}",) if found.has_weights else ()


class Timm(Backbone):
    def __init__(self, config: Config) -> None:
        super().__init__()
        timm = _timm_with(config.name)
        self.body = timm.create_model(config.name, features_only=True, pretrained=False, out_indices=config.levels)
        self.channels = tuple(self.body.feature_info.channels())
        self.strides = tuple(self.body.feature_info.reduction())

    def forward(self, images: Tensor) -> list[Tensor]:
        return list(self.body(images))

    def load_classifier_state(self, state: dict[str, Tensor]) -> list[str]:
        """Networks that timm takes apart have other names than whole ones: `stages.0` is `stages_0`, or in `model`."""
        mine = self.body.state_dict()
        named = {
            next((new for new in (name, name.replace(".", "_", 1), f"model.{name}") if new in mine), name): value
            for name, value in state.items()
        }
        return super().load_classifier_state({f"body.{name}": value for name, value in named.items()})


def _timm_with(name: str) -> ModuleType:
    """The package, where it is installed and has a network of that name."""
    try:
        import timm
    except ImportError as error:
        raise ValueError(f"backbone.name = {name!r} needs the package timm: install it") from error
    if not timm.is_model(name):
        raise ValueError(f"backbone.name = {name!r} is no network of timm; see timm.list_models()")
    package: ModuleType = timm
    return package
