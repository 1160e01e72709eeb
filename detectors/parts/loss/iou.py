"""Losses of the IoU of predicted boxes with their targets: -log IoU (UnitBox, FCOS) or 1 - IoU."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from detectors.ops.boxes import aligned_iou
from detectors.parts.loss import Fit, LocLoss, LocLossConfig


@dataclass(frozen=True, kw_only=True)
class Config(LocLossConfig):
    form: Literal["log", "linear"] = "log"

    def build(self) -> "IoU":
        return IoU(self)


class IoU(LocLoss):
    on = "boxes"

    def __init__(self, config: Config) -> None:
        super().__init__(config.weight)
        self.form = config.form

    def forward(self, predicted: Tensor, target: Tensor, fit: Fit | None = None) -> Tensor:
        """[..., 4] and [..., 4] -> [...]; disjoint boxes give the log form a large constant, and no gradient."""
        iou = aligned_iou(predicted, target)
        return 1 - iou if self.form == "linear" else -iou.clamp(min=1e-6).log()
