"""IoU-balanced localisation: positives whose boxes fit well count for more."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from detectors.config import Count, NonNegative, Positive
from detectors.ops.iou_balance import iou_balanced_cls_weights, iou_balanced_loc_weights
from detectors.parts.loss import Fit, LocLoss, LocLossConfig, smooth_l1


@dataclass(frozen=True, kw_only=True)
class Config(LocLossConfig):
    base: LocLossConfig = field(default_factory=smooth_l1.Config)
    """the loss whose values are weighed; its own weight counts too"""
    lam: NonNegative = 1.5
    """exponent of the IoU; 0 is the base loss"""
    w_loc: Literal["auto", "fixed", "normalised"] = "auto"
    """the factor beside IoU^lam: measured over the first batches, so that the sum stays what it was there; given;
    or one that preserves the sum in every batch (Eq. 7, which the paper finds slightly inferior)"""
    fixed: Positive = 1.0
    """w_loc if it is given: the papers' values hold for their own models only"""
    batches: Count = 100
    """after how many batches `auto` settles"""
    scope: Literal["level", "image", "batch"] = "batch"
    """over which positives `normalised` preserves the sum"""

    def build(self) -> LocLoss:
        return IoUBalancedLoc(self)


class IoUBalancedLoc(LocLoss):
    seen: Tensor
    plain: Tensor
    balanced: Tensor

    def __init__(self, config: Config) -> None:
        base = config.base.build()
        super().__init__(config.weight * base.weight)
        self.base = base
        self.config, self.on, self.balanced_over = config, base.on, config.scope
        for name in ("seen", "plain", "balanced"):
            self.register_buffer(name, torch.zeros(()))

    @property
    def unbalanced(self) -> LocLoss:
        return self.base

    def forward(self, predicted: Tensor, target: Tensor, fit: Fit | None = None) -> Tensor:
        """[N, 4] or [N], as the base loss has them."""
        if fit is None:
            raise ValueError("an IoU-balanced loss needs to know how well boxes fit: call it with a Fit")
        values = self.base(predicted, target)
        whole = values.detach().sum(1) if values.ndim > 1 else values.detach()
        weights = self._weights(whole, fit)
        return values * (weights[:, None] if values.ndim > 1 else weights)

    def _weights(self, values: Tensor, fit: Fit) -> Tensor:
        if self.config.lam == 0:
            return torch.ones_like(values)
        if self.config.w_loc == "normalised":
            return iou_balanced_cls_weights(values, fit.iou, self.config.lam, fit.mask, fit.group, fit.groups)
        if self.config.w_loc == "fixed":
            return iou_balanced_loc_weights(fit.iou, self.config.lam, self.config.fixed)
        counted = values if fit.mask is None else torch.where(fit.mask, values, 0)
        weights = iou_balanced_loc_weights(fit.iou, self.config.lam)
        if self.training:
            self._measure(counted.sum(), (counted * weights).sum())
        return weights * torch.where(self.balanced > 0, self.plain / self.balanced, 1)

    def _measure(self, plain: Tensor, balanced: Tensor) -> None:
        """Adds up what w_loc is the ratio of, until enough batches were seen; waits for no device."""
        early = (self.seen < self.config.batches).to(plain.dtype)
        self.plain += early * plain
        self.balanced += early * balanced
        self.seen += early
