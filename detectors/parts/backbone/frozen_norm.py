"""Batch normalisation that never changes: a factor and a summand a channel, which a convolution can take along."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from detectors.ops.conv3x3 import conv3x3


class FrozenNorm(nn.Module):
    """Torchvision's takes two passes, and turns half precision into single on the way."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((channels,), value))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Of a normalisation that was trained, which counts its batches, too."""
        state_dict.pop(f"{prefix}num_batches_tracked", None)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(self, features: Tensor) -> Tensor:
        scale, shift = (column.to(features.dtype).view(1, -1, 1, 1) for column in self.scale_and_shift())
        return torch.addcmul(shift, features, scale)

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        return scale, self.bias - self.running_mean * scale


def normed(conv: nn.Module, norm: nn.Module, features: Tensor) -> Tensor:
    """`norm(conv(features))`. A frozen norm scales the weights instead of the maps where those are fewer."""
    if type(conv) is not nn.Conv2d or conv.bias is not None or not isinstance(norm, FrozenNorm):
        result: Tensor = norm(conv(features))
        return result
    # Of one image: its result must not depend on how many others there are.
    places = features.shape[2] * features.shape[3] // (conv.stride[0] * conv.stride[1])
    if conv.weight[0].numel() > places:
        return norm(_convolve(conv, features, conv.weight, None))
    scale, shift = (column.to(conv.weight.dtype) for column in norm.scale_and_shift())
    return _convolve(conv, features, conv.weight * scale.view(-1, 1, 1, 1), shift)


def _convolve(conv: nn.Conv2d, features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    if _plain3x3(conv):
        return conv3x3([features], weight, bias)[0]
    return functional.conv2d(features, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)


def _plain3x3(conv: nn.Conv2d) -> bool:
    shape = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups)
    return shape == ((3, 3), (1, 1), (1, 1), (1, 1), 1)
