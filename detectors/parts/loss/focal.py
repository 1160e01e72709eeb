"""Focal loss: a sigmoid a class, easy examples weighted down (RetinaNet, Eq. 5)."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from detectors.config import NonNegative, Unit
from detectors.parts.loss import ClsLoss, ClsLossConfig, Fit


@dataclass(frozen=True, kw_only=True)
class Config(ClsLossConfig):
    alpha: Unit = 0.25
    """weight of positives; negatives get 1 - alpha"""
    gamma: NonNegative = 2.0

    def build(self) -> ClsLoss:
        return Focal(self)


class Focal(ClsLoss):
    def __init__(self, config: Config) -> None:
        super().__init__(config.weight)
        self.alpha, self.gamma = config.alpha, config.gamma

    def forward(self, logits: Tensor, labels: Tensor, fit: Fit | None = None) -> Tensor:
        """[..., K] logits and [...] labels -> [..., K]"""
        values: Tensor = _Focal.apply(logits, labels, self.alpha, self.gamma)
        return values


class _Focal(torch.autograd.Function):
    """With its derivative worked out beside the value: of the anchors of a batch, autograd would keep ten copies."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, alpha: float, gamma: float) -> Tensor:
        values, slopes = _curve(logits, 1 - alpha, gamma)
        channel, positive = labels.clamp(min=0)[..., None], labels[..., None] >= 0
        own_value, own_slope = _curve(-logits.gather(-1, channel), alpha, gamma)
        values.scatter_(-1, channel, torch.where(positive, own_value, values.gather(-1, channel)))
        slopes.scatter_(-1, channel, torch.where(positive, -own_slope, slopes.gather(-1, channel)))
        ctx.save_for_backward(slopes)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (slopes,) = ctx.saved_tensors
        return gradient * slopes, None, None, None


def _curve(towards_wrong: Tensor, weight: float, gamma: float) -> tuple[Tensor, Tensor]:
    """Value and derivative of weight * p^gamma * -log(1 - p), where p = sigmoid(x) is the chance of being wrong."""
    wrong, cost = towards_wrong.sigmoid(), functional.softplus(towards_wrong)
    focus = wrong.pow(gamma).mul_(weight)
    slope = (1 - wrong).mul_(cost).mul_(gamma).add_(wrong).mul_(focus)
    return cost.mul_(focus), slope
