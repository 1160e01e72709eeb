"""The convolution with fewer products equals the plain one, forwards and backwards, wherever a tile or a strip ends."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from detectors.ops import conv3x3 as op
from detectors.parts.conv3x3 import Conv3x3

Shapes = Sequence[tuple[int, int, int]]

SHAPES: dict[str, Shapes] = {
    "whole tiles": [(1, 8, 6)],
    "rows missing in the last tile": [(2, 5, 3), (2, 6, 3), (2, 7, 3)],
    "less than a tile": [(1, 1, 1), (1, 2, 1), (1, 3, 9)],
    "strips within a map": [(1, 41, 300)],
    "several products": [(3, 30, 120), (3, 15, 60), (3, 8, 30), (3, 4, 15)],
}


def some(shapes: Shapes, channels: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(images, channels, height, width, generator=generator, dtype=dtype).requires_grad_()
        for images, height, width in shapes
    ]


def plain(levels: Sequence[Tensor], weight: Tensor, bias: Tensor | None) -> list[Tensor]:
    return [functional.conv2d(level, weight, bias, padding=1) for level in levels]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("biased", [True, False])
def test_equals_the_plain_convolution_and_its_gradients(name: str, biased: bool) -> None:
    levels = some(SHAPES[name], 3)
    weight, bias = some([(5, 3, 3)], 3)[0], torch.randn(5, dtype=torch.float64).requires_grad_() if biased else None
    leaves = [*levels, weight] + ([] if bias is None else [bias])
    ours, theirs = op._mixed(levels, weight, bias), plain(levels, weight, bias)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    upstream = [torch.randn_like(maps) for maps in theirs]
    gradients = [torch.autograd.grad(outputs, leaves, upstream) for outputs in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-9)


def test_only_asked_gradients_are_made() -> None:
    frozen, weight = some([(1, 6, 5)], 3)[0].detach(), some([(2, 3, 3)], 3)[0]
    op._mixed([frozen], weight, None)[0].sum().backward()
    assert weight.grad is not None
    assert frozen.grad is None


def test_in_single_precision_it_rounds_as_the_plain_one_does() -> None:
    layer, levels = Conv3x3(128, 160), some([(1, 40, 30), (1, 9, 7)], 128, torch.float32)
    with torch.no_grad():
        exact = plain([level.double() for level in levels], layer.weight.double(), layer.bias.double())
        for maps, true in zip(layer(levels), exact, strict=True):
            assert (maps - true).abs().max() < 2e-6 * true.abs().max()


def test_an_image_does_not_depend_on_the_others() -> None:
    layer, maps = Conv3x3(128, 128), some([(3, 33, 40)], 128, torch.float32)[0]
    with torch.no_grad():
        torch.testing.assert_close(layer(maps)[1:2], layer(maps[1:2]), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("channels", "side", "dtype", "format", "mixed"),
    [
        (128, 32, torch.float32, torch.contiguous_format, True),
        (64, 64, torch.float32, torch.contiguous_format, False),
        (128, 31, torch.float32, torch.contiguous_format, False),
        (128, 32, torch.float64, torch.contiguous_format, False),
        (128, 32, torch.float32, torch.channels_last, False),
    ],
)
def test_where_it_pays(channels: int, side: int, dtype: torch.dtype, format: torch.memory_format, mixed: bool) -> None:
    layer, maps = Conv3x3(channels, channels).to(dtype), torch.rand(1, channels, side, side, dtype=dtype)
    maps = maps.contiguous(memory_format=format)
    assert op._pays([maps], layer.weight) is mixed
    torch.testing.assert_close(layer(maps), plain([maps], layer.weight, layer.bias)[0], rtol=0, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        assert not op._pays([maps], layer.weight)


def test_a_level_may_be_a_view_of_another() -> None:
    """As the coarsest of Faster R-CNN is."""
    layer, maps = Conv3x3(128, 128), torch.rand(1, 128, 40, 40)
    levels = [maps, maps[:, :, ::2, ::2]]
    assert op._pays(levels, layer.weight)
    torch.testing.assert_close(layer(levels), plain(levels, layer.weight, layer.bias), rtol=0, atol=1e-5)


def test_no_maps_and_no_images() -> None:
    layer = Conv3x3(128, 128)
    assert layer([]) == []
    assert layer(torch.rand(0, 128, 40, 40)).shape == (0, 128, 40, 40)


def test_it_counts_as_a_convolution() -> None:
    layer, maps = Conv3x3(128, 128), torch.rand(2, 128, 40, 30)
    with FlopCounterMode(display=False) as counter:
        layer(maps)
    assert counter.get_total_flops() == 2 * 9 * 128 * 128 * maps[:, 0].numel()
    with torch.device("meta"):
        assert Conv3x3(128, 128)(torch.rand(2, 128, 40, 30)).shape == (2, 128, 40, 30)
    inputs = some([(1, 8, 6)], 3), some([(2, 3, 3)], 3)[0], None
    checks = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(torch.ops.locbench.conv3x3, inputs, test_utils=checks)
