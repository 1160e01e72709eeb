"""The shapes of the synthetic classes as integer depth fields: how far a point lies inside, in 1/16 pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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

    def reach(self) -> int:
        """Half the side of the square, in pixels, that holds all of it with its soft edge."""
        return (self.a + self.b + self.soft) // SUB + 2


def depth(item: Placed, x0: int, y0: int, x1: int, y1: int) -> Field:
    """The depth field of an object over the pixels [y0, y1) x [x0, x1)."""
    cosine, sine = ROTATIONS[item.rotation % len(ROTATIONS)]
    dx = (np.arange(x0, x1, dtype=np.int32) * SUB + SUB // 2 - item.x)[None, :]
    dy = (np.arange(y0, y1, dtype=np.int32) * SUB + SUB // 2 - item.y)[:, None]
    return SHAPES[item.shape][1]((dx * cosine + dy * sine) >> 12, (dy * cosine - dx * sine) >> 12, item.a, item.b)


def disc(u: Field, v: Field, a: int, b: int) -> Field:
    wide_u, wide_v = u.astype(np.int64), v.astype(np.int64)
    quotient = ((wide_u * wide_u * ((1 << 40) // (a * a))) + (wide_v * wide_v * ((1 << 40) // (b * b)))) >> 28
    return (((4096 - quotient) * min(a, b)) >> 13).astype(np.int32)


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


SHAPES: tuple[tuple[str, Callable[[Any, Any, int, int], Field]], ...] = (
    ("disc", disc),
    ("block", block),
    ("stalk", stalk),
    ("ring", ring),
    ("cross", cross),
    ("wedge", wedge),
)
