"""The logarithm of the hyperbolic cosine of the error: quadratic near zero, absolute far away, smooth everywhere."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from detectors.config import Positive
from detectors.parts.loss import Fit, LocLoss, LocLossConfig


@dataclass(frozen=True, kw_only=True)
class Config(LocLossConfig):
    scale: Positive = 0.2

    def build(self) -> "LogCosh":
        return LogCosh(self)


class LogCosh(LocLoss):
    def __init__(self, config: Config) -> None:
        super().__init__(config.weight)
        self.scale = config.scale

    def forward(self, predicted: Tensor, target: Tensor, fit: Fit | None = None) -> Tensor:
        error = (predicted - target).abs() / self.scale
        return self.scale * (error + softplus(-2 * error) - 0.6931471805599453)
