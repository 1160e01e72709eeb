"""A 3 x 3 convolution that samples where it likes (deformable convolution, version 1)."""

import torch
from torch import Tensor, nn
from torchvision.ops import DeformConv2d


class DeformableConv(nn.Module):
    """Starts as a regular convolution: offsets are predicted from the features, and are zero at first."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.offset = nn.Conv2d(inputs, 18, 3, stride=stride, padding=1)
        self.conv = DeformConv2d(inputs, outputs, 3, stride=stride, padding=1, bias=bias)
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(torch.as_tensor(self.offset.bias))

    def forward(self, features: Tensor) -> Tensor:
        offsets = self.offset(features)
        return self.conv(features, offsets.to(features.dtype))
