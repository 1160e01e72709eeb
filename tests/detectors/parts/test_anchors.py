"""Anchors against torchvision's, their order over levels, and the cache."""

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList

from detectors.parts.anchors import Anchors, default_boxes
from detectors.parts.anchors.grid import Config

CPU = torch.device("cpu")
SIZES = ((32, 40, 50), (64, 80, 101))


@pytest.mark.parametrize(("size", "shapes"), [((64, 96), [(8, 12), (4, 6)]), ((100, 70), [(13, 9), (7, 5)])])
def test_anchors_are_those_of_torchvision(size: tuple[int, int], shapes: list[tuple[int, int]]) -> None:
    theirs = AnchorGenerator(SIZES, ((0.5, 1.0, 2.0),) * 2)(
        ImageList(torch.zeros(1, 3, *size), [size]), [torch.zeros(1, 1, *shape) for shape in shapes]
    )[0]
    ours = Config(sizes=SIZES).build()(shapes, size, CPU)
    torch.testing.assert_close(ours.boxes, theirs, rtol=0, atol=0)
    assert ours.counts == tuple(9 * rows * columns for rows, columns in shapes)
    assert ours.shapes == tuple(shapes)
    assert ours.strides == tuple((size[0] // rows, size[1] // columns) for rows, columns in shapes)


def test_anchors_of_half_an_offset_stand_in_the_middle_of_their_cells() -> None:
    anchors = Config(sizes=((64,), (128,)), ratios=(1.0,), offset=0.5, rounded=False).build()(
        [(2, 3), (1, 1)], (16, 24), CPU
    )
    assert anchors.centers[:4].tolist() == [[4, 4], [12, 4], [20, 4], [4, 12]]
    assert anchors.centers[6].tolist() == [12, 8]
    assert (anchors.boxes[:, 2] - anchors.boxes[:, 0]).tolist() == [64] * 6 + [128]
    assert anchors.level.tolist() == [0] * 6 + [1]


def test_unrounded_anchors_keep_the_area_for_every_ratio() -> None:
    anchors = Config(sizes=((50,),), ratios=(0.3, 1.0, 4.0), rounded=False).build()([(1, 1)], (8, 8), CPU).boxes
    width, height = (anchors[:, 2:] - anchors[:, :2]).unbind(1)
    torch.testing.assert_close(width * height, torch.full((3,), 2500.0))
    torch.testing.assert_close(height / width, torch.tensor([0.3, 1.0, 4.0]))


def test_one_shape_is_made_once_and_the_cache_is_bounded() -> None:
    maker = Config(sizes=((8,),), ratios=(1.0,)).build()
    first = maker([(2, 2)], (16, 16), CPU)
    assert maker([(2, 2)], (16, 16), CPU) is first
    assert maker([(2, 2)], (32, 32), CPU) is not first
    for side in range(1, 100):
        maker([(side, side)], (8 * side, 8 * side), CPU)
    assert len(maker._cache) <= 32


def test_level_of_free_boxes_is_zero() -> None:
    assert Anchors.of(torch.zeros(2, 5, 4)).level.tolist() == [0] * 5


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"sizes": ()}, "sizes"), ({"sizes": ((8,), ())}, "sizes"), ({"sizes": ((8,),), "ratios": ()}, "ratios")],
)
def test_bad_anchors_name_the_field(fields: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Config(**fields)


def test_levels_that_differ_from_the_neck_are_named() -> None:
    with pytest.raises(ValueError, match=r"2 levels, the neck gives 1"):
        Config(sizes=SIZES).build()([(8, 8)], (64, 64), CPU)


def test_default_boxes_are_those_of_torchvision() -> None:
    ratios: tuple[tuple[int, ...], ...] = ((2,), (2, 3), (2,))
    shapes, steps, sizes = [(38, 38), (19, 19), (1, 1)], (8, 16, 300), (21, 45, 261, 315)
    theirs = DefaultBoxGenerator(
        [list(level) for level in ratios], scales=[size / 300 for size in sizes], steps=list(steps)
    )(ImageList(torch.zeros(1, 3, 300, 300), [(300, 300)]), [torch.zeros(1, 1, *shape) for shape in shapes])[0]
    maker = default_boxes.Config(sizes=sizes, ratios=ratios, steps=steps, longest=300).build()
    ours = maker(shapes, (300, 300), CPU)
    torch.testing.assert_close(ours.boxes, theirs, rtol=0, atol=1e-4)
    assert ours.counts == tuple(
        rows * columns * maker.per_location(level) for level, (rows, columns) in enumerate(shapes)
    )


def test_default_boxes_of_uneven_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="have 2, 2 and 1 entries"):
        default_boxes.Config(sizes=(8, 16), ratios=((2,), (2,)), steps=(8,), longest=64)
    maker = default_boxes.Config(sizes=(8, 16), ratios=((2,),), steps=(8,), longest=64).build()
    with pytest.raises(ValueError, match="1 levels, the neck gives 2"):
        maker([(2, 2), (1, 1)], (16, 16), CPU)
