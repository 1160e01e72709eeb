"""Rank by one predicted quality alone, as IoU-Net does in its suppression."""

from dataclasses import dataclass

from torch import Tensor

from detectors.parts.rank import Rank, RankConfig, quality_of
from detectors.raw import Raw


@dataclass(frozen=True, kw_only=True)
class Config(RankConfig):
    name: str = "iou"

    def build(self) -> Rank:
        return self._score

    def _score(self, raw: Raw) -> Tensor:
        return quality_of(raw, self.name, "rank.name").clamp(0, 1)
