"""Draws one scene: textured ground, clutter, then objects back to front, each with its mask and box."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.data.scenes import texture
from bench.data.scenes.draws import Draws
from bench.data.scenes.shapes import ROTATIONS, SHAPES, SUB, Placed, depth

# Small, medium and large: up to which percentile, and the range of the longer half axis in 1/1000 of the side.
SCALES = ((35, (50, 90)), (75, (90, 170)), (100, (170, 300)))
CLASS_COLOURS = ((200, 80, 70), (70, 160, 90), (80, 100, 200), (200, 170, 60), (170, 80, 180), (70, 180, 190))
TRIES = 12


@dataclass(frozen=True)
class Style:
    """What a preset asks of its scenes; `difficulty` is in percent."""

    size: int
    classes: int
    objects: tuple[int, int]
    difficulty: int


@dataclass
class Scene:
    pixels: NDArray[np.uint8]
    labels: list[int]
    masks: list[NDArray[np.uint8]]
    areas: list[int]
    boxes: list[tuple[int, int, int, int]]


def draw(style: Style, draws: Draws) -> Scene:
    """The whole scene. Boxes and masks are of the full object, also where others hide parts of it."""
    canvas = _Canvas(style, draws)
    for _ in range(style.size * (1 + style.difficulty // 20) // 40):
        canvas.paint(_clutter(style, draws), percent=draws.between(25, 60))
    wanted = draws.between(*style.objects)
    last: Placed | None = None
    for _ in range(wanted * TRIES):
        if len(canvas.labels) == wanted:
            break
        crowd = last is not None and draws.chance(20 + style.difficulty // 2)
        item = _beside(last, draws) if crowd and last is not None else _object(style, draws)
        if canvas.place(item):
            last = item
    return Scene(canvas.interleaved(), canvas.labels, canvas.masks, canvas.sizes, canvas.boxes)


class _Canvas:
    def __init__(self, style: Style, draws: Draws) -> None:
        self.style, self.draws, side = style, draws, style.size
        self.pixels = _ground(style, draws)
        self.owner = np.full((side, side), -1, np.int16)
        self.labels: list[int] = []
        self.masks: list[NDArray[np.uint8]] = []
        self.boxes: list[tuple[int, int, int, int]] = []
        self.visible: list[int] = []
        self.sizes: list[int] = []

    def interleaved(self) -> NDArray[np.uint8]:
        """The pixels [H, W, 3]."""
        pixels = np.empty((*self.pixels.shape[1:], 3), np.uint8)
        for channel, plane in enumerate(self.pixels):
            pixels[:, :, channel] = np.minimum(np.maximum(plane, 0), 255)
        return pixels

    def window(self, item: Placed) -> tuple[int, int, int, int]:
        """The pixels that an object may touch: x0, y0, x1, y1."""
        (across, down), side = item.reach(), self.style.size
        x, y = item.x // SUB, item.y // SUB
        return max(0, x - across), max(0, y - down), min(side, x + across), min(side, y + down)

    def paint(self, item: Placed, percent: int = 100) -> None:
        """Blends an object in; its soft edge is half transparent where its true edge is."""
        window = self.window(item)
        self._blend(item, window, depth(item, *window), percent)

    def place(self, item: Placed) -> bool:
        """Adds an object, unless too little of it is in the picture or it would hide an earlier one."""
        side = self.style.size * SUB
        if not (0 <= item.x < side and 0 <= item.y < side):
            return False
        x0, y0, x1, y1 = window = self.window(item)
        field = depth(item, *window)
        inside = field > 0
        total = int(np.count_nonzero(inside))
        if total < 12 or not self._leaves_others_visible(inside, window):
            return False
        if self.draws.chance(15 + self.style.difficulty // 3):
            self.paint(_shadow(item, self.draws), percent=45)
        self._blend(item, window, field, 100)
        self.owner[y0:y1, x0:x1][inside] = len(self.labels)
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        self.boxes.append((x0 + int(columns[0]), y0 + int(rows[0]), x0 + int(columns[-1]) + 1, y0 + int(rows[-1]) + 1))
        mask = np.zeros((self.style.size, self.style.size), np.uint8, order="F")
        mask[y0:y1, x0:x1] = inside
        self.masks.append(mask)
        self.labels.append(item.shape)
        self.sizes.append(total)
        self.visible.append(total)
        return True

    def _leaves_others_visible(self, inside: NDArray[np.bool_], window: tuple[int, int, int, int]) -> bool:
        x0, y0, x1, y1 = window
        hidden = np.bincount(self.owner[y0:y1, x0:x1][inside].astype(np.int64) + 1, minlength=len(self.labels) + 1)[
            1:
        ].tolist()
        least = 75 - self.style.difficulty * 2 // 5
        if any(
            100 * (seen - lost) < least * size
            for seen, lost, size in zip(self.visible, hidden, self.sizes, strict=True)
        ):
            return False
        self.visible = [seen - lost for seen, lost in zip(self.visible, hidden, strict=True)]
        return True

    def _blend(self, item: Placed, window: tuple[int, int, int, int], field: NDArray[np.int32], percent: int) -> None:
        """Works in the memory of `field`, which is the opacity in the end."""
        x0, y0, x1, y1 = window
        # A product and a shift in place of two divisions, which are slow: soft edges are given in 1/65536.
        np.minimum(np.maximum(field, -item.soft, out=field), item.soft, out=field)
        field *= np.int32(65536 * 128 // item.soft)
        field >>= 16
        field += 128
        if percent != 100:
            field *= np.int32(65536 * percent // 100)
            field >>= 16
        surface = texture.crop(item.texture, item.x + x0, item.y + y0, x1 - x0, y1 - y0) * np.int32(
            10 + self.style.difficulty // 4
        )
        surface >>= 6
        place = self.pixels[:, y0:y1, x0:x1]
        change = surface - place
        change += np.array(item.colour, np.int32)[:, None, None]
        change *= field
        change >>= 8
        place += change


def _ground(style: Style, draws: Draws) -> NDArray[np.int32]:
    """The background: a base colour and two octaves of noise, tinted by channel."""
    side = style.size
    coarse, fine = (
        texture.crop(draws.below(3), draws.below(texture.SIDE), draws.below(texture.SIDE), side, side) for _ in range(2)
    )
    strength = 12 + style.difficulty // 3
    pixels = np.empty((3, side, side), np.int32)
    for plane in pixels:
        weight = draws.between(strength // 2, strength)
        np.multiply(coarse, np.int32(weight), out=plane)
        plane >>= 6
        plane += draws.between(70, 180)
        plane += fine * np.int32(strength - weight // 2) >> 7
    return pixels


def _object(style: Style, draws: Draws) -> Placed:
    """An object anywhere, its centre inside the picture."""
    shape, roll, side = draws.below(style.classes), draws.below(100), style.size
    low, high = next(sizes for limit, sizes in SCALES if roll < limit)
    a = side * SUB * draws.between(low, high) // 1000
    b = a * draws.between(40, 100) // 100
    base, jitter = CLASS_COLOURS[shape % len(CLASS_COLOURS)], 15 + style.difficulty * 2 // 3
    return Placed(
        shape=shape,
        x=draws.between(side * SUB // 20, side * SUB * 19 // 20),
        y=draws.between(side * SUB // 20, side * SUB * 19 // 20),
        a=max(a, 3 * SUB),
        b=max(b, 3 * SUB),
        rotation=draws.below(len(ROTATIONS)),
        soft=max(SUB // 2, b * draws.between(2, 8 + style.difficulty // 3) // 100),
        colour=(
            base[0] + draws.between(-jitter, jitter),
            base[1] + draws.between(-jitter, jitter),
            base[2] + draws.between(-jitter, jitter),
        ),
        texture=draws.below(3),
    )


def _beside(other: Placed, draws: Draws) -> Placed:
    """A neighbour of the same class, nearly the same size and colour, that touches or overlaps the other."""
    scale, distance = draws.between(80, 120), draws.between(80, 150)
    dx, dy = ((other.a * distance // 100) * side // 4096 for side in ROTATIONS[draws.below(len(ROTATIONS))])
    if draws.chance(50):
        dx, dy = -dx, -dy
    red, green, blue = other.colour
    return replace(
        other,
        x=other.x + dx,
        y=other.y + dy,
        a=max(other.a * scale // 100, 3 * SUB),
        b=max(other.b * scale // 100, 3 * SUB),
        rotation=other.rotation + draws.below(3),
        colour=(red + draws.between(-8, 8), green + draws.between(-8, 8), blue + draws.between(-8, 8)),
    )


def _shadow(item: Placed, draws: Draws) -> Placed:
    """A darker, blurred copy beside an object, which makes its edge there hard to tell."""
    red, green, blue = item.colour
    shift = max(SUB, item.b * draws.between(10, 30) // 100)
    return replace(
        item,
        x=item.x + shift,
        y=item.y + shift,
        soft=max(item.soft * 2, item.b // 5),
        colour=(red * 2 // 5, green * 2 // 5, blue * 2 // 5),
    )


def _clutter(style: Style, draws: Draws) -> Placed:
    """A faint rod or blob that is no object."""
    length = style.size * SUB * draws.between(20, 120) // 1000
    rod = draws.chance(60)
    width = max(SUB * 3 // 4, length // 12) if rod else length * draws.between(50, 100) // 100
    return Placed(
        shape=[shape.name for shape in SHAPES].index("block" if rod else "disc"),
        x=draws.below(style.size * SUB),
        y=draws.below(style.size * SUB),
        a=length,
        b=width,
        rotation=draws.below(len(ROTATIONS)),
        soft=SUB if rod else max(SUB, width),
        colour=(draws.between(30, 220), draws.between(30, 220), draws.between(30, 220)),
        texture=draws.below(3),
    )
