"""How parts make a detector: one file a family."""

from dataclasses import dataclass

from torch import nn

from detectors.config import PartConfig


@dataclass(frozen=True, kw_only=True)
class DetectorConfig(PartConfig):
    """The role of all families: a whole detector as a config tree."""

    def build(self, num_classes: int) -> nn.Module:
        return super().build(num_classes)
