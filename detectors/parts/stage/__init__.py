"""Role `stage`: judges and moves boxes that it is given, by their pooled features. A cascade has several."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from detectors.config import PartConfig
from detectors.parts.proposals import Proposals
from detectors.parts.quality import Regress, RoIPrediction, RoITraining
from detectors.raw import Raw
from detectors.targets import Targets


class Stage(nn.Module):
    resolution: int
    """side of the pooled features"""

    def losses(
        self, features: Sequence[Tensor], sizes: Tensor, proposals: Proposals, targets: Targets
    ) -> tuple[dict[str, Tensor], RoITraining]:
        """Losses, and what a quality part needs to know."""
        raise NotImplementedError

    def predict(self, features: Sequence[Tensor], sizes: Tensor, proposals: Proposals, floor: float) -> RoIPrediction:
        """Candidates with a class score above `floor`, and what a quality part needs to know."""
        raise NotImplementedError

    def given(self, features: Sequence[Tensor], sizes: Tensor, raw: Raw) -> RoIPrediction:
        """What a quality part needs to know to rate boxes that come from elsewhere."""
        raise NotImplementedError

    def regressor(self, features: Sequence[Tensor], sizes: Tensor) -> Regress:
        """Of boxes that come from elsewhere."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class StageConfig(PartConfig):
    def build(self, channels: int, strides: Sequence[int], num_classes: int) -> Stage:
        return super().build(channels, strides, num_classes)
