"""A bank of periodic integer noise in three octaves; scenes take their backgrounds and surfaces from crops of it."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

SIDE = 512
RADII = (1, 5, 20)


@cache
def bank() -> NDArray[np.int32]:
    """[octave, 2 SIDE, 2 SIDE] of values in -128..127, all four quarters the same."""
    raw = np.random.Philox(key=np.array([20210601, 0], np.uint64)).random_raw(len(RADII) * SIDE * SIDE // 8)
    noise = raw.astype("<u8").view(np.uint8).reshape(len(RADII), SIDE, SIDE).astype(np.int64) - 128
    layers = [_spread(_blur(_blur(layer, radius), radius)) for layer, radius in zip(noise, RADII, strict=True)]
    return np.tile(np.stack(layers), (1, 2, 2))


def crop(octave: int, x: int, y: int, width: int, height: int) -> NDArray[np.int32]:
    """A piece of an octave from any place, wrapped around."""
    layer = bank()[octave % len(RADII)]
    x, y = x % SIDE, y % SIDE
    if width <= SIDE and height <= SIDE:
        return layer[y : y + height, x : x + width]
    return layer.take(np.arange(y, y + height) % SIDE, axis=0).take(np.arange(x, x + width) % SIDE, axis=1)


def _blur(layer: NDArray[np.int64], radius: int) -> NDArray[np.int64]:
    """A periodic box blur, as sums."""
    for axis in (0, 1):
        layer = sum((np.roll(layer, shift, axis) for shift in range(-radius, radius + 1)), np.zeros_like(layer))
    return layer


def _spread(layer: NDArray[np.int64]) -> NDArray[np.int32]:
    """Scales to -128..127, with three quarters of the largest deviation as the limit."""
    limit = int(np.abs(layer).max()) * 3 // 4
    return np.clip(layer * 127 // limit, -128, 127).astype(np.int32)
