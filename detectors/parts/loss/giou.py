"""Generalised IoU loss: 1 - IoU + the share of the enclosing box that neither box covers. In [0, 2]."""

from dataclasses import dataclass

from torch import Tensor

from detectors.ops.boxes import aligned_giou
from detectors.parts.loss import Fit, LocLoss, LocLossConfig


@dataclass(frozen=True, kw_only=True)
class Config(LocLossConfig):
    def build(self) -> "GeneralisedIoU":
        return GeneralisedIoU(self.weight)


class GeneralisedIoU(LocLoss):
    on = "boxes"

    def forward(self, predicted: Tensor, target: Tensor, fit: Fit | None = None) -> Tensor:
        """[..., 4] and [..., 4] -> [...]"""
        return 1 - aligned_giou(predicted, target)
