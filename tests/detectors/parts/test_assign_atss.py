"""ATSS against a slow reference that measures every distance, and on grids and objects that misbehave."""

import statistics

import pytest
import torch
from slow_boxes import iou, random_targets
from torch import Tensor

from detectors.parts.anchors import Anchors
from detectors.parts.anchors.grid import Config as Grid
from detectors.parts.anchors.nearest import nearest_anchors
from detectors.parts.assign import BACKGROUND, IGNORED
from detectors.parts.assign.atss import Config
from detectors.targets import pad_targets

CPU = torch.device("cpu")


def grid(
    shapes: list[tuple[int, int]], size: tuple[int, int], scale: int = 4, ratios: tuple[float, ...] = (1.0,)
) -> Anchors:
    sizes = tuple((float(scale * size[1] // columns),) for _, columns in shapes)
    made = Grid(sizes=sizes, ratios=ratios).build()(shapes, size, CPU)
    return Anchors(boxes=made.boxes.double(), counts=made.counts, shapes=made.shapes, strides=made.strides)


def slow(anchors: Anchors, target: dict[str, Tensor], per_level: int) -> list[int]:
    boxes = anchors.boxes.tolist()
    centers = [((x1 + x2) / 2, (y1 + y2) / 2) for x1, y1, x2, y2 in boxes]
    owner, best = [BACKGROUND] * len(boxes), [-1.0] * len(boxes)
    for slot, (x1, y1, x2, y2) in enumerate(target["boxes"].double().tolist()):
        if target["iscrowd"][slot]:
            continue
        cx, cy, start, candidates = (x1 + x2) / 2, (y1 + y2) / 2, 0, []
        for count in anchors.counts:
            level = range(start, start + count)
            candidates += sorted(level, key=lambda a: (centers[a][0] - cx) ** 2 + (centers[a][1] - cy) ** 2)[:per_level]
            start += count
        overlaps = {a: iou(boxes[a], (x1, y1, x2, y2)) for a in candidates}
        spread = statistics.stdev(overlaps.values()) if len(overlaps) > 1 else 0.0
        threshold = statistics.fmean(overlaps.values()) + spread
        for a in candidates:
            x, y = centers[a]
            inside = min(x - x1, y - y1, x2 - x, y2 - y) > 0.01
            if inside and overlaps[a] >= threshold and overlaps[a] > best[a]:
                owner[a], best[a] = slot, overlaps[a]
    return owner


SHAPES: list[tuple[list[tuple[int, int]], tuple[int, int], int]] = [
    ([(12, 12), (6, 6), (3, 3)], (96, 96), 9),
    ([(12, 12), (6, 6), (3, 3)], (96, 96), 3),
    ([(12, 4), (6, 2), (3, 1)], (96, 32), 5),
    ([(1, 12), (1, 6), (1, 1)], (8, 96), 9),
    ([(13, 10), (7, 5), (4, 3)], (100, 78), 4),
]


@pytest.mark.parametrize(("shapes", "size", "per_level"), SHAPES)
def test_equals_the_slow_reference(shapes: list[tuple[int, int]], size: tuple[int, int], per_level: int) -> None:
    anchors, assigner = grid(shapes, size), Config(per_level=per_level, crowd_coverage=1.0).build()
    for seed in range(45):
        listed, targets = random_targets(torch.Generator().manual_seed(seed), images=2, size=min(size))
        targets = pad_targets([{**target, "boxes": target["boxes"]} for target in listed])
        found = assigner(anchors, targets)
        for image, target in enumerate(listed):
            matched = torch.where(found.matched[image] == IGNORED, BACKGROUND, found.matched[image])
            assert matched.tolist() == slow(anchors, target, per_level), f"seed {seed}, image {image}"


@pytest.mark.parametrize("count", [1, 2, 5, 9, 18])
@pytest.mark.parametrize("ratios", [(1.0,), (0.5, 1.0, 2.0)])
def test_nearest_anchors_are_those_of_a_full_sort(count: int, ratios: tuple[float, ...]) -> None:
    generator = torch.Generator().manual_seed(count)
    for shapes, size, _ in SHAPES:
        anchors = grid(shapes, size, ratios=ratios)
        points = torch.rand(20, 2, generator=generator, dtype=torch.float64) * 140 - 20
        index, exists = nearest_anchors(anchors, points, count)
        for point, picks, real in zip(points, index, exists, strict=True):
            distance = (anchors.centers - point).square().sum(1)
            chosen = picks[real]
            assert len(set(chosen.tolist())) == len(chosen) == sum(min(count, level) for level in anchors.counts)
            for level in range(len(anchors.counts)):
                ours = distance[chosen[anchors.level[chosen] == level]].sort().values
                theirs = distance[anchors.level == level].sort().values[: len(ours)]
                torch.testing.assert_close(ours, theirs)


def test_an_anchor_that_two_objects_want_goes_to_the_one_it_overlaps_more() -> None:
    anchors = grid([(4, 4)], (32, 32), scale=2)
    boxes = torch.tensor([[9.0, 9, 25, 25], [8, 8, 24, 24]])
    found = Config(per_level=1).build()(anchors, pad_targets([{"boxes": boxes, "labels": torch.tensor([0, 1])}]))
    assert found.matched[0, 10] == 1
    assert found.positive.sum() == 1
    assert float(found.iou[0, 10]) == 1


def test_without_objects_all_is_background() -> None:
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    found = Config().build()(grid([(4, 4)], (32, 32)), pad_targets([empty]))
    assert (found.matched == BACKGROUND).all()


def test_levels_without_anchors_take_no_part() -> None:
    full = grid([(4, 4), (2, 2)], (32, 32))
    hollow = Anchors(
        boxes=full.boxes, counts=(16, 0, 4), shapes=((4, 4), (0, 0), (2, 2)), strides=((8, 8), (12, 12), (16, 16))
    )
    _, targets = random_targets(torch.Generator().manual_seed(1), size=32)
    assert torch.equal(Config().build()(full, targets).matched, Config().build()(hollow, targets).matched)
