"""The 3 x 3 convolution of pyramids and heads: of one map, or of all levels that share it."""

from typing import Any

from torch import Tensor, nn

from detectors.ops.conv3x3 import conv3x3


class Conv3x3(nn.Conv2d):
    """An `nn.Conv2d` in all but its arithmetic on a CPU; a list of maps gives a list."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, maps: Any) -> Any:
        levels = [maps] if isinstance(maps, Tensor) else maps
        convolved = conv3x3(levels, self.weight, self.bias)
        return convolved[0] if isinstance(maps, Tensor) else convolved
