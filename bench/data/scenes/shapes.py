"""The shapes of the synthetic classes as integer depth fields: how far a point lies inside, in 1/16 pixels."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.int32]
SUB = 16

# Rational rotations (cosine, sine) in 1/4096 from Pythagorean triples; nothing here depends on a sine of the machine.
ROTATIONS = tuple(
    (4096 * a * sign // c, 4096 * b // c)
    for a, b, c in (
        (1, 0, 1),
        (3, 4, 5),
        (4, 3, 5),
        (5, 12, 13),
        (12, 5, 13),
        (8, 15, 17),
        (15, 8, 17),
        (7, 24, 25),
        (24, 7, 25),
        (0, 1, 1),
    )
    for sign in (1, -1)
)


@dataclass(frozen=True)
class Placed:
    """An object in a picture: centre, half axes and the width of its soft edge in 1/16 pixels."""

    shape: int
    x: int
    y: int
    a: int
    b: int
    rotation: int
    soft: int
    colour: tuple[int, int, int]
    texture: int = 0

    def reach(self) -> tuple[int, int]:
        """Half the width and height, in pixels, of the window that holds all of it with its soft edge."""
        u, v = SHAPES[self.shape].extent(self.a, self.b, self.soft)
        cosine, sine = (abs(side) for side in ROTATIONS[self.rotation % len(ROTATIONS)])
        limit = self.a + self.b + self.soft
        # 4092 for 4096, because rotations are rounded and may shrink a little.
        across, down = ((u * cosine + v * sine) // 4092 + SUB, (u * sine + v * cosine) // 4092 + SUB)
        return min(across, limit) // SUB + 2, min(down, limit) // SUB + 2


def depth(item: Placed, x0: int, y0: int, x1: int, y1: int) -> Field:
    """The depth field of an object over the pixels [y0, y1) x [x0, x1)."""
    cosine, sine = ROTATIONS[item.rotation % len(ROTATIONS)]
    dx = (np.arange(x0, x1, dtype=np.int32) * SUB + SUB // 2 - item.x)[None, :]
    dy = (np.arange(y0, y1, dtype=np.int32) * SUB + SUB // 2 - item.y)[:, None]
    return SHAPES[item.shape].field((dx * cosine + dy * sine) >> 12, (dy * cosine - dx * sine) >> 12, item.a, item.b)


def disc(u: Field, v: Field, a: int, b: int) -> Field:
    # The products need 64 bits.
    square, other = u.astype(np.int64), v.astype(np.int64)
    for wide, half in ((square, a), (other, b)):
        wide *= wide
        wide *= (1 << 40) // (half * half)
    square += other
    square >>= 28
    np.subtract(4096, square, out=square)
    square *= min(a, b)
    square >>= 13
    return square.astype(np.int32)


def block(u: Field, v: Field, a: int, b: int) -> Field:
    return np.minimum(a - np.abs(u), b - np.abs(v))


def stalk(u: Field, v: Field, a: int, b: int) -> Field:
    """A disc on a thin rod: the rod's end, easy to miss, makes the box."""
    body = disc(u + a // 2, v, max(a // 2, SUB), max(b * 3 // 4, SUB))
    return np.maximum(body, block(u, v, a, max(a // 14, SUB * 3 // 4)))


def ring(u: Field, v: Field, a: int, b: int) -> Field:
    outer = disc(u, v, a, b)
    return np.minimum(outer, max(min(a, b) // 4, SUB) - outer)


def cross(u: Field, v: Field, a: int, b: int) -> Field:
    thickness = max(b // 6, SUB)
    return np.maximum(block(u, v, a, thickness), block(u, v, thickness, b))


def wedge(u: Field, v: Field, a: int, b: int) -> Field:
    """A triangle whose tip thins out."""
    sides = ((b * (a - u.astype(np.int64)) - 2 * a * np.abs(v).astype(np.int64)) * ((1 << 32) // (2 * a))) >> 32
    return np.minimum(a + u, sides.astype(np.int32))


def _disc_extent(a: int, b: int, soft: int) -> tuple[int, int]:
    """Depth falls with the square of the distance: the soft edge ends where that square is 1 + 2 soft / min(a, b)."""
    square = 1024 * 1024 + 2 * 1024 * 1024 * soft // min(a, b)
    growth = math.isqrt(square) + 1
    return a * growth // 1024 + 1, b * growth // 1024 + 1


def _block_extent(a: int, b: int, soft: int) -> tuple[int, int]:
    return a + soft, b + soft


def _stalk_extent(a: int, b: int, soft: int) -> tuple[int, int]:
    u, v = _disc_extent(max(a // 2, SUB), max(b * 3 // 4, SUB), soft)
    return max(a // 2 + u, a + soft), max(v, max(a // 14, SUB) + soft)


def _cross_extent(a: int, b: int, soft: int) -> tuple[int, int]:
    thickness = max(b // 6, SUB)
    return max(a, thickness) + soft, max(b, thickness) + soft


def _wedge_extent(a: int, b: int, soft: int) -> tuple[int, int]:
    return a + 2 * a * soft // b + 2, b + soft + b * soft // (2 * a) + 2


class Shape(NamedTuple):
    """`field` gives the depth at points of the shape's own axes, `extent` how far out its soft edge reaches."""

    name: str
    field: Callable[[Any, Any, int, int], Field]
    extent: Callable[[int, int, int], tuple[int, int]]


SHAPES = (
    Shape("disc", disc, _disc_extent),
    Shape("block", block, _block_extent),
    Shape("stalk", stalk, _stalk_extent),
    Shape("ring", ring, _disc_extent),
    Shape("cross", cross, _cross_extent),
    Shape("wedge", wedge, _wedge_extent),
)
