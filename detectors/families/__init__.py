"""How parts make a detector: one file a family."""

from dataclasses import dataclass, field
from typing import ClassVar

from torch import nn

from detectors.config import PartConfig, Unit
from detectors.parts.post import PostConfig, standard

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class DetectorConfig(PartConfig):
    """The role of all families: a whole detector as a config tree."""

    after_training: ClassVar[tuple[str, ...]] = ("post", "floor")

    post: PostConfig = field(default_factory=standard.Config)
    """What happens after the network; to replace it is a rescore."""
    floor: Unit = 0.05
    """Candidates with a class score of this or less never become raw predictions."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def build(self, num_classes: int) -> nn.Module:
        return super().build(num_classes)
