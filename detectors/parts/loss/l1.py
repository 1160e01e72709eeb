"""Absolute error of encoded boxes."""

from dataclasses import dataclass

from torch import Tensor

from detectors.parts.loss import Fit, LocLoss, LocLossConfig


@dataclass(frozen=True, kw_only=True)
class Config(LocLossConfig):
    def build(self) -> "L1":
        return L1(self.weight)


class L1(LocLoss):
    def forward(self, predicted: Tensor, target: Tensor, fit: Fit | None = None) -> Tensor:
        """[..., 4] and [..., 4] -> [..., 4]"""
        return (predicted - target).abs()
