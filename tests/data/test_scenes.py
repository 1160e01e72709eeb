"""Synthetic scenes: the same bytes everywhere, and nothing of an object outside of the window that is drawn."""

import hashlib

import numpy as np
import pytest

from bench.data.converting.report import Report
from bench.data.formats.synthetic import Config
from bench.data.scenes import texture
from bench.data.scenes.shapes import ROTATIONS, SHAPES, SUB, Placed, depth

# Other bytes would be another data set: results that were measured on the old one would no longer compare.
BYTES = [
    (Config(preset="tiny"), "9cc11ce6e25318a5"),  # pragma: allowlist secret
    (Config(preset="small"), "3741dc7e889bdb28"),  # pragma: allowlist secret
    (
        Config(size=97, classes=6, max_objects=20, difficulty=1.0, seed=3),
        "60efc40614f9a21d",
    ),  # pragma: allowlist secret
]


@pytest.mark.parametrize(("config", "expected"), BYTES)
def test_scenes_stay_what_they_were(config: Config, expected: str):
    found = hashlib.sha256()
    for row in config.build("train").chunk(0, 8).rows(Report()):
        found.update(row.digest())
    assert found.hexdigest()[:16] == expected


@pytest.mark.parametrize("shape", range(len(SHAPES)), ids=[shape.name for shape in SHAPES])
def test_a_window_holds_all_of_an_object_and_of_its_soft_edge(shape: int):
    """Within half axes, width and soft edge of the centre, which scenes draw no further out than."""
    draws = np.random.default_rng(shape)
    smaller = 0
    for trial in range(200):
        a = int(draws.integers(3 * SUB, 60 * SUB))
        b = max(3 * SUB, a * int(draws.integers(40, 101)) // 100)
        item = Placed(
            shape=shape,
            x=int(draws.integers(SUB)),
            y=int(draws.integers(SUB)),
            a=a,
            b=b,
            rotation=trial % len(ROTATIONS),
            soft=int(draws.integers(SUB // 2, b + 1)),
            colour=(0, 0, 0),
        )
        square = (item.a + item.b + item.soft) // SUB + 2
        across, down = item.reach()
        assert max(across, down) <= square
        field = depth(item, -square, -square, square, square)
        rows, columns = np.nonzero(field > -item.soft)
        assert -across <= columns.min() - square
        assert columns.max() - square < across
        assert -down <= rows.min() - square
        assert rows.max() - square < down
        smaller += across * down < square * square
    assert smaller > 100


def test_textures_wrap_around():
    whole = texture.crop(1, 0, 0, texture.SIDE, texture.SIDE)
    across = texture.crop(1, texture.SIDE - 5, 3 * texture.SIDE - 2, 12, 9)
    np.testing.assert_array_equal(across, np.roll(whole, (2, 5), (0, 1))[:9, :12])
    large = texture.crop(1, 7, 0, texture.SIDE + 30, 4)
    np.testing.assert_array_equal(large[:, texture.SIDE :], large[:, :30])
