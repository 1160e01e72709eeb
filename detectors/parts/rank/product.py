"""Rank by cls^cls_power * quality^quality_power: the confidence of IoU-Aware R-CNN (1, 1), DIR and PAA (1/2, 1/2)."""

from dataclasses import dataclass

from torch import Tensor

from detectors.config import NonNegative
from detectors.parts.rank import Rank, RankConfig, quality_of
from detectors.raw import Raw


@dataclass(frozen=True, kw_only=True)
class Config(RankConfig):
    name: str = "iou"
    """Which quality."""
    cls_power: NonNegative = 0.5
    quality_power: NonNegative = 0.5

    def build(self) -> Rank:
        return self._score

    def _score(self, raw: Raw) -> Tensor:
        quality = quality_of(raw, self.name, "rank.name").clamp(0, 1)
        return raw.scores.pow(self.cls_power) * quality.pow(self.quality_power)
