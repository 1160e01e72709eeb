"""Batch normalisation that never changes, in one pass over the features and in their own precision."""

import torch
from torch import Tensor
from torchvision.ops import FrozenBatchNorm2d


class FrozenNorm(FrozenBatchNorm2d):
    """Torchvision's takes two passes, and turns half precision into single on the way."""

    def forward(self, features: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        shift, scale = (column.to(features.dtype).view(1, -1, 1, 1) for column in (shift, scale))
        return torch.addcmul(shift, features, scale)
