"""Role `dense_quality`: a one-channel branch of a dense head that learns how well the box of a positive fits."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from detectors.config import NonNegative, PartConfig


class DenseQuality:
    """Trained on positives with binary cross-entropy; the sigmoid is a quality of the raw predictions."""

    name: str
    """of the quality in raw predictions"""

    def target(self, centers: Tensor, boxes: Tensor, objects: Tensor) -> Tensor:
        """Centres of anchors [..., 2], decoded boxes and matched objects [..., 4] -> [...] in [0, 1], no gradient."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class DenseQualityConfig(PartConfig):
    weight: NonNegative = 1.0
    """of the branch's loss"""
    tower: Literal["cls", "loc"] = "loc"
    """which tower of the head the branch grows on"""

    def build(self) -> DenseQuality:
        return super().build()
