"""Absolute error of encoded boxes, quadratic below a knee."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from detectors.config import Positive
from detectors.parts.loss import Fit, LocLoss, LocLossConfig


@dataclass(frozen=True, kw_only=True)
class Config(LocLossConfig):
    beta: Positive = 1 / 9
    """where the square turns into a line; the papers write it as delta"""

    def build(self) -> "SmoothL1":
        return SmoothL1(self)


class SmoothL1(LocLoss):
    def __init__(self, config: Config) -> None:
        super().__init__(config.weight)
        self.beta = config.beta

    def forward(self, predicted: Tensor, target: Tensor, fit: Fit | None = None) -> Tensor:
        """[..., 4] and [..., 4] -> [..., 4]"""
        return functional.smooth_l1_loss(predicted, target, reduction="none", beta=self.beta)
