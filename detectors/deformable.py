"""A 3 x 3 convolution that samples where it likes (deformable convolution, version 1)."""

from torch import Tensor, nn
from torchvision.ops import DeformConv2d


class DeformableConv(DeformConv2d):
    """Starts as a regular convolution: offsets are predicted from the features, and are zero at first."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, groups: int = 1, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, stride=stride, padding=1, groups=groups, bias=bias)
        self.offset = nn.Conv2d(inputs, 18, 3, stride=stride, padding=1)
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.get_parameter("bias"))

    def forward(self, features: Tensor) -> Tensor:
        answer: Tensor = super().forward(features, self.offset(features).to(features.dtype))
        return answer


def deform(stage: nn.Module) -> None:
    """Makes the 3 x 3 convolution of every residual block deformable; it keeps its weights and their names."""
    for block in stage.children():
        regular = block.get_submodule("conv2")
        assert isinstance(regular, nn.Conv2d)
        block.conv2 = DeformableConv(
            regular.in_channels, regular.out_channels, regular.stride[0], regular.groups, bias=False
        )
        block.conv2.weight = regular.weight
