"""Losses, element by element: who calls one sums its values and divides by a normaliser of its own choice."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from detectors.config import NonNegative, PartConfig


@dataclass(frozen=True, kw_only=True)
class LossConfig(PartConfig):
    """The role: builds a `ClsLoss` or a `LocLoss`."""

    weight: NonNegative = 1.0
    """what `Loss.total` multiplies the normalised sum with; the values themselves are without it"""

    def build(self) -> "Loss":
        return super().build()


@dataclass(frozen=True, kw_only=True)
class ClsLossConfig(LossConfig):
    def build(self) -> "ClsLoss":
        return PartConfig.build(self)


@dataclass(frozen=True, kw_only=True)
class LocLossConfig(LossConfig):
    def build(self) -> "LocLoss":
        return PartConfig.build(self)


@dataclass(frozen=True)
class Fit:
    """How well the boxes behind N loss rows fit now, for losses that weigh by it."""

    iou: Tensor
    """[N] IoU of the decoded box with its target; only positives' values are read"""
    mask: Tensor | None = None
    """[N] bool: which rows are positives, for box losses; None: all"""
    group: Tensor | None = None
    """[N] int64 in 0..groups-1: rows whose weights balance among themselves; None is one group"""
    groups: int = 1


class Loss(nn.Module):
    balanced_over: Literal["level", "image", "batch"] | None = None
    """the groups that the loss wants in its `Fit`; None: it needs no `Fit`"""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def total(self, values: Tensor, normaliser: Tensor | float) -> Tensor:
        """The scalar to train on."""
        return self.weight * values.sum() / normaliser


class ClsLoss(Loss):
    """`loss(logits [N, C], labels [N]) -> [N, C] or [N]`; labels are 0..K-1 for objects and negative for background."""

    @property
    def unbalanced(self) -> "ClsLoss":
        """The loss without weights that ask for a `Fit`."""
        return self

    sigmoid = True
    """a logit a class, each through a sigmoid of its own"""

    def channels(self, num_classes: int) -> int:
        """C: how many logits the loss wants for K classes."""
        return num_classes

    def scores(self, logits: Tensor) -> Tensor:
        """[..., C] logits as probabilities of the K classes: [..., K]."""
        return logits.sigmoid()

    def forward(self, logits: Tensor, labels: Tensor, fit: Fit | None = None) -> Tensor:
        raise NotImplementedError


class LocLoss(Loss):
    """`loss(predicted [N, 4], target [N, 4]) -> [N, 4] or [N]`."""

    @property
    def unbalanced(self) -> "LocLoss":
        """The loss without weights that ask for a `Fit`."""
        return self

    on: Literal["deltas", "boxes"] = "deltas"
    """whether the loss compares what the coder encodes, or boxes"""

    def forward(self, predicted: Tensor, target: Tensor, fit: Fit | None = None) -> Tensor:
        raise NotImplementedError


def one_hot(labels: Tensor, channels: int) -> Tensor:
    """[...] labels -> [..., C] bool; a negative label is no channel."""
    return labels[..., None] == torch.arange(channels, device=labels.device)
