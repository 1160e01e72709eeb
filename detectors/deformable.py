"""A 3 x 3 convolution that samples where it likes: deformable convolution, version 1, and with modulation version 2."""

from torch import Tensor, nn

TAPS = 9


class DeformableConv(nn.Conv2d):
    """Offsets are predicted from the features, and are zero at first: it starts as a regular convolution.

    With modulation each tap also has a factor in (0, 1). All are 1/2 at first, as published, so that it starts at half
    the strength of a regular convolution.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int = 1, groups: int = 1, bias: bool = True, modulated: bool = False
    ) -> None:
        super().__init__(inputs, outputs, 3, stride=stride, padding=1, groups=groups, bias=bias)
        self.modulated = modulated
        self.offset = nn.Conv2d(inputs, (3 if modulated else 2) * TAPS, 3, stride=stride, padding=1)
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.get_parameter("bias"))

    def forward(self, features: Tensor) -> Tensor:
        from torchvision.ops import deform_conv2d

        predicted = self.offset(features).to(features.dtype)
        mask = predicted[:, 2 * TAPS :].sigmoid() if self.modulated else None
        offset = predicted[:, : 2 * TAPS]
        return deform_conv2d(features, offset, self.weight, self.bias, self.stride, self.padding, mask=mask)


def deform(stage: nn.Module, modulated: bool = False) -> None:
    """Makes the 3 x 3 convolution of every residual block deformable; it keeps its weights and their names."""
    for block in stage.children():
        regular = block.get_submodule("conv2")
        assert isinstance(regular, nn.Conv2d)
        block.conv2 = DeformableConv(
            regular.in_channels,
            regular.out_channels,
            regular.stride[0],
            regular.groups,
            bias=False,
            modulated=modulated,
        )
        block.conv2.weight = regular.weight
