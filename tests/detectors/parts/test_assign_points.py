"""FCOS and FoveaBox: which locations answer, how near they are to the middle, and how distances are encoded."""

import math

import pytest
import torch
from slow_boxes import area, random_targets
from torch import Tensor

from detectors.parts.anchors import Anchors
from detectors.parts.anchors.grid import Config as Grid
from detectors.parts.assign import BACKGROUND, fcos, fovea
from detectors.parts.coder import distances
from detectors.parts.dense_quality import centerness, iou
from detectors.targets import pad_targets

SHAPES = [(12, 12), (6, 6), (3, 3)]


def points(offset: float = 0.0) -> Anchors:
    grid = Grid(sizes=((8,), (16,), (32,)), ratios=(1.0,), offset=offset).build()
    return grid(SHAPES, (96, 96), torch.device("cpu"))


def smallest(answers: list[int], boxes: list[list[float]]) -> int:
    return min(answers, key=lambda slot: area(boxes[slot]), default=BACKGROUND)


def slow_fcos(anchors: Anchors, target: dict[str, Tensor], config: fcos.Config) -> list[int]:
    boxes, crowds, matched = target["boxes"].tolist(), target["iscrowd"].tolist(), []
    limits = [0.0, *config.extents, math.inf]
    for (x1, y1, x2, y2), level in zip(anchors.boxes.tolist(), anchors.level.tolist(), strict=True):
        x, y, side, answers = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, []
        for slot, (left, top, right, bottom) in enumerate(boxes):
            sides = (x - left, y - top, right - x, bottom - y)
            off = max(abs(x - (left + right) / 2), abs(y - (top + bottom) / 2))
            central = config.radius is None or off < config.radius * side
            if not crowds[slot] and min(sides) > 0 and central and limits[level] < max(sides) < limits[level + 1]:
                answers.append(slot)
        matched.append(smallest(answers, boxes))
    return matched


def slow_fovea(anchors: Anchors, target: dict[str, Tensor], config: fovea.Config) -> list[int]:
    boxes, crowds, matched = target["boxes"].tolist(), target["iscrowd"].tolist(), []
    for (x1, y1, x2, y2), level in zip(anchors.boxes.tolist(), anchors.level.tolist(), strict=True):
        x, y, answers = (x1 + x2) / 2, (y1 + y2) / 2, []
        least, greatest = config.scales[level]
        for slot, (left, top, right, bottom) in enumerate(boxes):
            near_x = abs(x - (left + right) / 2) <= config.sigma * (right - left) / 2
            near_y = abs(y - (top + bottom) / 2) <= config.sigma * (bottom - top) / 2
            if not crowds[slot] and near_x and near_y and least <= area(boxes[slot]) ** 0.5 <= greatest:
                answers.append(slot)
        matched.append(smallest(answers, boxes))
    return matched


FCOS_FIELDS: list[dict[str, float | None]] = [{}, {"radius": None}, {"radius": 0.8}]


@pytest.mark.parametrize("fields", FCOS_FIELDS)
def test_fcos_equals_the_slow_reference(fields: dict[str, float | None]) -> None:
    config = fcos.Config(extents=(40, 70), crowd_coverage=1.0, **fields)
    anchors = points()
    for seed in range(70):
        listed, targets = random_targets(torch.Generator().manual_seed(seed))
        found = config.build()(anchors, targets).matched.clamp(min=BACKGROUND)
        for image, target in enumerate(listed):
            assert found[image].tolist() == slow_fcos(anchors, target, config)


@pytest.mark.parametrize("sigma", [0.4, 0.9])
def test_fovea_equals_the_slow_reference(sigma: float) -> None:
    config = fovea.Config(sigma=sigma, scales=((1, 32), (16, 64), (32, 96)), crowd_coverage=1.0)
    anchors = points(offset=0.5)
    for seed in range(100):
        listed, targets = random_targets(torch.Generator().manual_seed(seed))
        found = config.build()(anchors, targets).matched.clamp(min=BACKGROUND)
        for image, target in enumerate(listed):
            assert found[image].tolist() == slow_fovea(anchors, target, config)


def test_levels_and_limits_must_agree() -> None:
    _, targets = random_targets(torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="4 limits"):
        fcos.Config().build()(points(), targets)
    with pytest.raises(ValueError, match="5 ranges for 3 levels"):
        fovea.Config().build()(points(), targets)
    with pytest.raises(ValueError, match="sort them"):
        fcos.Config(extents=(48, 24))


@pytest.mark.parametrize("kind", [fcos.Config(extents=(24, 48)), fovea.Config(scales=((1, 32), (16, 64), (32, 96)))])
def test_without_objects_all_is_background(kind: fcos.Config | fovea.Config) -> None:
    empty = pad_targets([{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}])
    assert (kind.build()(points(), empty).matched == BACKGROUND).all()


def test_centerness_is_one_in_the_middle_and_zero_outside() -> None:
    box = torch.tensor([[10.0, 10, 30, 50]]).expand(4, 4)
    where = torch.tensor([[20.0, 30], [15, 30], [15, 20], [5, 30]])
    expected = torch.tensor([1.0, (5 / 15) ** 0.5, (5 / 15 * 10 / 30) ** 0.5, 0.0])
    torch.testing.assert_close(centerness.Config().build().target(where, box, box), expected)


def test_the_iou_target_is_that_of_the_decoded_box_without_gradient() -> None:
    decoded = torch.tensor([[0.0, 0, 10, 10]], requires_grad=True)
    target = iou.Config().build().target(torch.zeros(1, 2), decoded, torch.tensor([[0.0, 0, 10, 5]]))
    assert target.tolist() == [0.5]
    assert not target.requires_grad


@pytest.mark.parametrize("form", ["linear", "log"])
def test_distances_come_back(form: str) -> None:
    coder = distances.Config(form=form).build()
    references = torch.tensor([[0.0, 0, 16, 16], [20, 20, 28, 28]])
    boxes = torch.tensor([[2.0, 1, 30, 14], [10, 15, 40, 50]])
    torch.testing.assert_close(coder.decode(references, coder.encode(references, boxes)), boxes)


def test_distances_are_in_sides_of_the_reference() -> None:
    references, boxes = torch.tensor([[0.0, 0, 16, 16]]), torch.tensor([[4.0, 0, 24, 40]])
    sides = torch.tensor([[0.25, 0.5, 1.0, 2.0]])
    torch.testing.assert_close(distances.Config().build().encode(references, boxes), sides)
    torch.testing.assert_close(distances.Config(form="log").build().encode(references, boxes), sides.log())


def test_logarithms_of_distances_are_limited() -> None:
    references, boxes = torch.tensor([[0.0, 0, 16, 16]]), torch.tensor([[30.0, 7.9999, 9000, 9]])
    codes = distances.Config(form="log", limit=16.0).build().encode(references, boxes)
    torch.testing.assert_close(codes, torch.tensor([[-1.0, -1, 1, -1]]) * math.log(16))
