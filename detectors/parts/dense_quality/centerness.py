"""How near the anchor's centre is to that of its object (FCOS, Eq. 3)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.parts.dense_quality import DenseQuality, DenseQualityConfig


@dataclass(frozen=True, kw_only=True)
class Config(DenseQualityConfig):
    def build(self) -> DenseQuality:
        return Centerness()


class Centerness(DenseQuality):
    name = "centerness"

    def target(self, centers: Tensor, boxes: Tensor, objects: Tensor) -> Tensor:
        return centerness(centers, objects)


def centerness(points: Tensor, objects: Tensor) -> Tensor:
    """sqrt(min(l, r) / max(l, r) * min(t, b) / max(t, b)) of points [..., 2] in boxes [..., 4]; 0 outside them."""
    before, after = points - objects[..., :2], objects[..., 2:] - points
    near, far = torch.minimum(before, after).clamp(min=0), torch.maximum(before, after)
    return (near / far.clamp(min=1e-6)).prod(dim=-1).sqrt()
