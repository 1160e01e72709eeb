"""A 3 x 3 convolution of all levels of a pyramid at once, with half of the multiplications where a CPU does the work.

Winograd's F(4, 3) along the rows: four rows of a result need six products of mixed rows instead of twelve. Tiles of all
levels and images lie one after another in a single row, so that also small maps fill the product. Rounding stays below
1e-6 of the largest value.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_weight
from torch.utils.flop_counter import register_flop_formula

ROWS, MIXES = 4, 6
LEAST_CHANNELS, LEAST_PLACES = 128, 1024
"""Below these mixing costs as much as it saves."""
COLUMNS = 1024
"""Of one product: mixed rows should fit the cache."""
MIX_WEIGHTS = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


def conv3x3(levels: Sequence[Tensor], weight: Tensor, bias: Tensor | None) -> list[Tensor]:
    """Maps [B, C, H, W] and weights [K, C, 3, 3] -> [B, K, H, W] each; stride 1, zeros around the maps."""
    if _pays(levels, weight):
        return _mixed(list(levels), weight, bias)
    return [functional.conv2d(level, weight, bias, padding=1) for level in levels]


def _pays(levels: Sequence[Tensor], weight: Tensor) -> bool:
    """Asks nothing of the other images of a batch, so that an image's result does not depend on them."""
    plain = weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()
    large = min(weight.shape[:2]) >= LEAST_CHANNELS and sum(m.shape[2] * m.shape[3] for m in levels) >= LEAST_PLACES
    return plain and large and all(maps.device.type == "cpu" for maps in levels) and not _channels_last(levels[0])


def _channels_last(maps: Tensor) -> bool:
    return maps.stride(1) == 1


class _Strip(NamedTuple):
    """Neighbouring tiles, of four rows each, of one image on one level."""

    level: int
    image: int
    tiles: slice
    width: int

    @property
    def columns(self) -> int:
        """Of the strip in a product: a zero between lines keeps them apart."""
        return (self.tiles.stop - self.tiles.start) * (self.width + 1)


@torch.library.custom_op("locbench::conv3x3", mutates_args=())
def _mixed(levels: list[Tensor], weight: Tensor, bias: Tensor | None) -> list[Tensor]:
    outputs = [level.new_empty(level.shape[0], len(weight), *level.shape[2:]) for level in levels]
    mixed = _mix_weights(weight)
    shift = None if bias is None else functional.pad(bias, (len(bias), (MIXES - 2) * len(bias)))
    for strips in _products(levels):
        rows = _mixed_rows(levels, strips, _mix_inputs)
        product = functional.conv2d(rows, mixed, shift, padding=(0, 1), groups=MIXES).view(MIXES, len(weight), -1)
        for strip, part in zip(strips, product.split([strip.columns for strip in strips], 2), strict=True):
            _unmix(part.unflatten(2, (-1, strip.width + 1))[..., :-1], _lines(outputs, strip))
    return outputs


@_mixed.register_fake
def _(levels: list[Tensor], weight: Tensor, bias: Tensor | None) -> list[Tensor]:
    return [level.new_empty(level.shape[0], len(weight), *level.shape[2:]) for level in levels]


@register_flop_formula(torch.ops.locbench.conv3x3)
def _operations(levels: list[Any], weight: Any, bias: Any, **_: Any) -> int:
    """Those of a plain convolution, which is what a network is said to need."""
    per_place = 2 * 9 * weight[0] * weight[1]
    return sum(per_place * batch * height * width for batch, _, height, width in levels)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    levels, weight, _ = inputs
    ctx.save_for_backward(weight, *levels)


def _backward(ctx: Any, gradients: list[Tensor]) -> tuple[list[Any], Tensor | None, Tensor | None]:
    weight, *levels = ctx.saved_tensors
    wants_levels, wants_weight, wants_bias = ctx.needs_input_grad
    gradients = [gradient.contiguous() for gradient in gradients]
    return (
        _mixed(gradients, weight.flip(2, 3).transpose(0, 1), None) if any(wants_levels) else [None] * len(levels),
        _weight_gradient(levels, gradients, weight) if wants_weight else None,
        torch.stack([gradient.sum((0, 2, 3)) for gradient in gradients]).sum(0) if wants_bias else None,
    )


_mixed.register_autograd(_backward, setup_context=_keep)


def _weight_gradient(levels: list[Tensor], gradients: list[Tensor], weight: Tensor) -> Tensor:
    outputs, inputs = weight.shape[:2]
    total = weight.new_zeros(MIXES * outputs, inputs, 1, 3)
    for strips in _products(levels):
        rows, mixed = _mixed_rows(levels, strips, _mix_inputs), _mixed_rows(gradients, strips, _mix_gradients)
        total += conv2d_weight(rows, total.shape, mixed, padding=(0, 1), groups=MIXES)
    return torch.einsum("jk,jocw->ockw", weight.new_tensor(MIX_WEIGHTS), total.view(MIXES, outputs, inputs, 3))


def _mix_weights(weight: Tensor) -> Tensor:
    """[K, C, 3, 3] -> [6 K, C, 1, 3]"""
    return torch.einsum("jk,ockw->jocw", weight.new_tensor(MIX_WEIGHTS), weight).flatten(0, 1).unsqueeze(2)


def _products(levels: Sequence[Tensor]) -> Iterator[list[_Strip]]:
    """Strips that one product takes together."""
    taken: list[_Strip] = []
    for strip in _strips(levels):
        if taken and sum(other.columns for other in taken) + strip.columns > COLUMNS:
            yield taken
            taken = []
        taken.append(strip)
    if taken:
        yield taken


def _strips(levels: Sequence[Tensor]) -> Iterator[_Strip]:
    for level, maps in enumerate(levels):
        height, width = maps.shape[2:]
        tiles, step = -(-height // ROWS), max(1, COLUMNS // (width + 1))
        for image in range(len(maps)):
            for first in range(0, tiles, step):
                yield _Strip(level, image, slice(first, min(first + step, tiles)), width)


def _mixed_rows(maps: list[Tensor], strips: list[_Strip], mix: Callable[[Tensor, slice, Tensor], None]) -> Tensor:
    """The strips' mixes one after another: [1, 6 C, 1, columns]."""
    channels = maps[0].shape[1]
    rows = maps[0].new_empty(MIXES, channels, sum(strip.columns for strip in strips))
    for strip, part in zip(strips, rows.split([strip.columns for strip in strips], 2), strict=True):
        place = part.unflatten(2, (-1, strip.width + 1))
        place[..., -1] = 0
        mix(maps[strip.level][strip.image], strip.tiles, place[..., :-1])
    return rows.view(1, MIXES * channels, 1, -1)


def _mix_inputs(maps: Tensor, tiles: slice, place: Tensor) -> None:
    """Six mixes of the six rows that a tile's four results depend on."""
    above, below = int(tiles.start == 0), max(0, ROWS * tiles.stop + 1 - maps.shape[1])
    lines = maps[:, ROWS * tiles.start - 1 + above : ROWS * tiles.stop + 1]
    padded = functional.pad(lines, (0, 0, above, below))
    r0, r1, r2, r3, r4, r5 = (padded[:, k : k + padded.shape[1] - ROWS : ROWS] for k in range(MIXES))
    even, odd = torch.sub(r4, r2, alpha=4), torch.sub(r3, r1, alpha=4)
    torch.add(torch.sub(r4, r2, alpha=5), r0, alpha=4, out=place[0])
    torch.add(even, odd, out=place[1])
    torch.sub(even, odd, out=place[2])
    even, odd = r4 - r2, r3 - r1
    torch.add(even, odd, alpha=2, out=place[3])
    torch.sub(even, odd, alpha=2, out=place[4])
    torch.add(torch.sub(r5, r3, alpha=5), r1, alpha=4, out=place[5])


def _mix_gradients(maps: Tensor, tiles: slice, place: Tensor) -> None:
    """The transpose of `_unmix`."""
    lines = maps[:, ROWS * tiles.start : ROWS * tiles.stop]
    missing = ROWS * (tiles.stop - tiles.start) - lines.shape[1]
    lines = functional.pad(lines, (0, 0, 0, missing)) if missing else lines
    r0, r1, r2, r3 = (lines[:, k::ROWS] for k in range(ROWS))
    place[0], place[5] = r0, r3
    even, odd = r0 + r2, r1 + r3
    torch.add(even, odd, out=place[1])
    torch.sub(even, odd, out=place[2])
    even, odd = torch.add(r0, r2, alpha=4), torch.add(r1, r3, alpha=4)
    torch.add(even, odd, alpha=2, out=place[3])
    torch.sub(even, odd, alpha=2, out=place[4])


def _unmix(product: Tensor, lines: Tensor) -> None:
    """Six products [6, K, tiles, W] -> the tiles' rows [K, up to 4 tiles, W]."""
    m0, m1, m2, m3, m4, m5 = product
    near, far = (m1 + m2, m3 + m4)
    _write(lines, 0, near + m0, far, 1)
    _write(lines, 2, near, far, 4)
    near, far = m1 - m2, m3 - m4
    _write(lines, 1, near, far, 2)
    _write(lines, 3, near.add_(m5), far, 8)


def _write(lines: Tensor, row: int, near: Tensor, far: Tensor, factor: float) -> None:
    """Row `row` of each tile; the last tile may lack it."""
    there = lines[:, row::ROWS]
    torch.add(near[:, : there.shape[1]], far[:, : there.shape[1]], alpha=factor, out=there)


def _lines(maps: list[Tensor], strip: _Strip) -> Tensor:
    return maps[strip.level][strip.image][:, ROWS * strip.tiles.start : ROWS * strip.tiles.stop]
