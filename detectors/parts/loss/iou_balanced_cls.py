"""IoU-balanced classification: positives count by how well their boxes fit, and in sum for as much as before."""

from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from detectors.config import NonNegative
from detectors.ops.iou_balance import iou_balanced_cls_weights
from detectors.parts.loss import ClsLoss, ClsLossConfig, Fit, focal


@dataclass(frozen=True, kw_only=True)
class Config(ClsLossConfig):
    base: ClsLossConfig = field(default_factory=focal.Config)
    """the loss whose values are weighed; its own weight counts too"""
    eta: NonNegative = 1.5
    """exponent of the IoU; 0 is the base loss"""
    scope: Literal["level", "image", "batch"] = "level"
    """over which positives the sum is preserved"""

    def build(self) -> ClsLoss:
        return IoUBalancedCls(self)


class IoUBalancedCls(ClsLoss):
    def __init__(self, config: Config) -> None:
        base = config.base.build()
        super().__init__(config.weight * base.weight)
        self.base = base
        self.eta, self.balanced_over, self.sigmoid = config.eta, config.scope, base.sigmoid

    @property
    def unbalanced(self) -> ClsLoss:
        return self.base

    def channels(self, num_classes: int) -> int:
        return self.base.channels(num_classes)

    def scores(self, logits: Tensor) -> Tensor:
        return self.base.scores(logits)

    def forward(self, logits: Tensor, labels: Tensor, fit: Fit | None = None) -> Tensor:
        """Of [N, C] values only those of positives for their own class are weighed, of [N] those of positives."""
        if fit is None:
            raise ValueError("an IoU-balanced loss needs to know how well boxes fit: call it with a Fit")
        values = self.base(logits, labels)
        if values.ndim == 1:
            return values * self._weights(values, labels, fit)
        channel = labels.clamp(min=0)[:, None]
        own = values.gather(1, channel)
        more = (self._weights(own[:, 0], labels, fit) - 1)[:, None] * own
        return values.scatter_add(1, channel, more)

    def _weights(self, values: Tensor, labels: Tensor, fit: Fit) -> Tensor:
        return iou_balanced_cls_weights(values, fit.iou, self.eta, labels >= 0, fit.group, fit.groups)
