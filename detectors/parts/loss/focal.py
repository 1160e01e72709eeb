"""Focal loss: a sigmoid a class, easy examples weighted down (RetinaNet, Eq. 5)."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from detectors.config import NonNegative, Unit
from detectors.parts.loss import ClsLoss, ClsLossConfig, Fit, one_hot


@dataclass(frozen=True, kw_only=True)
class Config(ClsLossConfig):
    alpha: Unit = 0.25
    """weight of positives; negatives get 1 - alpha"""
    gamma: NonNegative = 2.0

    def build(self) -> "Focal":
        return Focal(self)


class Focal(ClsLoss):
    def __init__(self, config: Config) -> None:
        super().__init__(config.weight)
        self.alpha, self.gamma = config.alpha, config.gamma

    def forward(self, logits: Tensor, labels: Tensor, fit: Fit | None = None) -> Tensor:
        """[..., K] logits and [...] labels -> [..., K]"""
        positive = one_hot(labels, logits.shape[-1])
        towards_wrong = torch.where(positive, -logits, logits)
        alpha = positive.to(logits.dtype) * (2 * self.alpha - 1) + (1 - self.alpha)
        return alpha * towards_wrong.sigmoid() ** self.gamma * functional.softplus(towards_wrong)
