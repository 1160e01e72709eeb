"""Softmax cross-entropy over K classes and background, which is the last channel."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from detectors.parts.loss import ClsLoss, ClsLossConfig, Fit


@dataclass(frozen=True, kw_only=True)
class Config(ClsLossConfig):
    def build(self) -> "CrossEntropy":
        return CrossEntropy(self.weight)


class CrossEntropy(ClsLoss):
    sigmoid = False

    def channels(self, num_classes: int) -> int:
        return num_classes + 1

    def scores(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=-1)[..., :-1]

    def forward(self, logits: Tensor, labels: Tensor, fit: Fit | None = None) -> Tensor:
        """[..., K + 1] logits and [...] labels -> [...]"""
        channel = torch.where(labels < 0, logits.shape[-1] - 1, labels)
        return functional.cross_entropy(logits.flatten(0, -2), channel.flatten(), reduction="none").view_as(channel)
