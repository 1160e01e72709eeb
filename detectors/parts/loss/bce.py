"""Binary cross-entropy, a sigmoid a class."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from detectors.parts.loss import ClsLoss, ClsLossConfig, Fit, one_hot


@dataclass(frozen=True, kw_only=True)
class Config(ClsLossConfig):
    def build(self) -> "BinaryCrossEntropy":
        return BinaryCrossEntropy(self.weight)


class BinaryCrossEntropy(ClsLoss):
    def forward(self, logits: Tensor, labels: Tensor, fit: Fit | None = None) -> Tensor:
        """[..., K] logits and [...] labels -> [..., K]"""
        target = one_hot(labels, logits.shape[-1]).to(logits.dtype)
        return functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
