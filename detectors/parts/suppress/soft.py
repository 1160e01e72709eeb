"""Soft-NMS: neighbours of a chosen candidate lose score instead of their place."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from detectors.config import NonNegative, Positive, Unit
from detectors.ops import soft_nms
from detectors.parts.suppress import Suppress, SuppressConfig
from detectors.raw import Raw


@dataclass(frozen=True, kw_only=True)
class Config(SuppressConfig):
    method: Literal["linear", "gaussian"] = "linear"
    iou_threshold: Unit = 0.5
    """Linear: neighbours with more IoU than this lose that share of their score."""
    sigma: Positive = 0.5
    """Gaussian: every neighbour's score is multiplied by exp(-IoU^2 / sigma)."""
    min_score: NonNegative = 0.001
    """Candidates that fall below this are gone."""

    def build(self) -> Suppress:
        return self._suppress

    def _suppress(self, raw: Raw, scores: Tensor, groups: Tensor, most: int) -> tuple[Tensor, Tensor]:
        return soft_nms(
            raw.boxes,
            scores,
            method=self.method,
            iou_threshold=self.iou_threshold,
            sigma=self.sigma,
            min_score=self.min_score,
            groups=groups,
            max_keep=most,
        )
