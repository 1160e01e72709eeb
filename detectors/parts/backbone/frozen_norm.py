"""Batch normalisation that never changes: a factor and a summand a channel, which a convolution can take along."""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import FrozenBatchNorm2d

from detectors.ops.conv3x3 import conv3x3


class FrozenNorm(FrozenBatchNorm2d):
    """Torchvision's takes two passes, and turns half precision into single on the way."""

    def forward(self, features: Tensor) -> Tensor:
        scale, shift = (column.to(features.dtype).view(1, -1, 1, 1) for column in self.scale_and_shift())
        return torch.addcmul(shift, features, scale)

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        return scale, self.bias - self.running_mean * scale


def normed(conv: nn.Module, norm: nn.Module, features: Tensor) -> Tensor:
    """`norm(conv(features))`. A frozen norm scales the few weights instead of the large maps."""
    if type(conv) is not nn.Conv2d or not isinstance(norm, FrozenNorm):
        result: Tensor = norm(conv(features))
        return result
    scale, shift = (column.to(conv.weight.dtype) for column in norm.scale_and_shift())
    weight = conv.weight * scale.view(-1, 1, 1, 1)
    if _plain3x3(conv):
        return conv3x3([features], weight, shift)[0]
    return functional.conv2d(features, weight, shift, conv.stride, conv.padding, conv.dilation, conv.groups)


def _plain3x3(conv: nn.Conv2d) -> bool:
    shape = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups)
    return shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1)
