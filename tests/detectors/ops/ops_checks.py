"""One check an op: it equals the slow reference on random cases. Each takes the op, so that a mistake can be put in.

Half of the cases lie on a coarse grid: overlaps equal thresholds exactly, scores tie, boxes are empty or inverted.
"""

import math
from collections.abc import Callable, Iterator

import slow_ops
import torch
from torch import Tensor
from torch.testing import assert_close

Op = Callable[..., object]


def generators(cases: int) -> Iterator[tuple[int, torch.Generator]]:
    for case in range(cases):
        yield case, torch.Generator().manual_seed(case)


def some_boxes(n: int, generator: torch.Generator, grid: bool) -> Tensor:
    if grid:
        corner = torch.randint(0, 4, (n, 2), generator=generator)
        return torch.cat([corner, corner + torch.randint(-1, 4, (n, 2), generator=generator)], 1).float()
    corner = torch.rand(n, 2, generator=generator) * 30 - 5
    return torch.cat([corner, corner + torch.rand(n, 2, generator=generator) * 25], 1)


def some_scores(n: int, generator: torch.Generator, grid: bool) -> Tensor:
    scores = torch.rand(n, generator=generator)
    return (scores * 10).round() / 10 if grid else scores


def scene(generator: torch.Generator, grid: bool) -> tuple[Tensor, Tensor, Tensor]:
    n = int(torch.randint(0, 28, (1,), generator=generator))
    boxes, scores = some_boxes(n, generator, grid), some_scores(n, generator, grid)
    return boxes, scores, torch.randint(0, 3, (n,), generator=generator)


def check_pairwise(op: Op, of_two: Callable[[list[float], list[float]], float], cases: int = 200) -> None:
    for case, generator in generators(cases):
        first, second = (some_boxes(n, generator, case % 2 == 0) for n in (case % 5, 6))
        expected = [[of_two(a, b) for b in second.tolist()] for a in first.tolist()]
        assert_close(op(first, second), torch.tensor(expected).view(len(first), 6), atol=1e-5, rtol=1e-5)


def check_aligned(op: Op, of_two: Callable[[list[float], list[float]], float], cases: int = 200) -> None:
    for case, generator in generators(cases):
        first, second = (some_boxes(case % 7, generator, case % 2 == 0) for _ in range(2))
        expected = [of_two(a, b) for a, b in zip(first.tolist(), second.tolist(), strict=True)]
        assert_close(op(first, second), torch.tensor(expected), atol=1e-5, rtol=1e-5)


def purity(box: list[float], gt: list[float]) -> float:
    return slow_ops.ratio(slow_ops.intersection(box, gt), slow_ops.area(box))


def integrity(box: list[float], gt: list[float]) -> float:
    return purity(gt, box)


def check_combined_iou(op: Op, cases: int = 200) -> None:
    for case, generator in generators(cases):
        box, gt = (some_boxes(9, generator, case % 2 == 0).double() for _ in range(2))
        pairs = list(zip(box.tolist(), gt.tolist(), strict=True))
        p, i = (torch.tensor([f(a, b) for a, b in pairs], dtype=torch.float64) for f in (purity, integrity))
        expected = torch.tensor([slow_ops.iou(a, b) for a, b in pairs], dtype=torch.float64)
        assert_close(op(p, i), expected)


def check_combined_logit(op: Op, cases: int = 200) -> None:
    for _, generator in generators(cases):
        a, b = torch.randn(2, 8, dtype=torch.float64, generator=generator) * 5
        expected = 1 / (1 / a.sigmoid() + 1 / b.sigmoid() - 1)
        assert_close(op(a, b).sigmoid(), expected)
    assert_close(
        op(torch.tensor([80.0, -80.0, 80.0]), torch.tensor([80.0, 80.0, -80.0])), torch.tensor([79.30685, -80, -80])
    )


def check_clip(op: Op, cases: int = 200) -> None:
    for case, generator in generators(cases):
        boxes = some_boxes(5, generator, case % 2 == 0) * 2 - 10
        assert_close(op(boxes, (13, 21)), torch.tensor([slow_ops.clip(box, 13, 21) for box in boxes.tolist()]))
        sizes = torch.randint(1, 30, (5, 2), generator=generator)
        expected = [slow_ops.clip(box, *size) for box, size in zip(boxes.tolist(), sizes.tolist(), strict=True)]
        assert_close(op(boxes, sizes), torch.tensor(expected))


def check_soft_nms(op: Op, cases: int = 200) -> None:
    decays = {
        "linear": lambda overlap: 1 - overlap if overlap > 0.25 else 1.0,
        "gaussian": lambda overlap: math.exp(-(overlap**2) / 0.4),
    }
    for case, generator in generators(cases):
        method = ("linear", "gaussian")[case // 2 % 2]
        boxes, scores, groups = scene(generator, case % 2 == 0)
        least = float(torch.tensor(0.1))
        keep, final = op(boxes, scores, method=method, iou_threshold=0.25, sigma=0.4, min_score=least, groups=groups)
        expected = slow_ops.soft_nms(boxes.tolist(), scores.tolist(), groups.tolist(), decays[method], least)
        assert keep.tolist() == [index for index, _ in expected]
        assert_close(final, torch.tensor([score for _, score in expected]))


def check_iou_guided_nms(op: Op, cases: int = 200) -> None:
    for case, generator in generators(cases):
        boxes, loc, groups = scene(generator, case % 2 == 0)
        cls = some_scores(len(boxes), generator, False)
        keep, scores = op(boxes, cls, loc, 0.5 if case % 4 < 2 else 0.25, groups)
        expected = slow_ops.iou_guided_nms(
            boxes.tolist(), cls.tolist(), loc.tolist(), groups.tolist(), 0.5 if case % 4 < 2 else 0.25
        )
        assert keep.tolist() == [index for index, _ in expected]
        assert scores.tolist() == [score for _, score in expected]


def check_score_vote(op: Op, cases: int = 200) -> None:
    for case, generator in generators(cases):
        boxes, scores, groups = scene(generator, case % 2 == 0)
        kept = torch.randperm(len(boxes), generator=generator)[: len(boxes) // 2]
        sigma, min_iou = ((0.025, 0.01), (0.4, 0.5))[case // 2 % 2]
        voted = op(kept, boxes, scores, sigma, min_iou, groups)
        expected = slow_ops.score_vote(kept.tolist(), boxes.tolist(), scores.tolist(), groups.tolist(), sigma, min_iou)
        assert_close(voted, torch.tensor(expected).view(-1, 4), atol=1e-4, rtol=1e-4)


def check_prroi_pool(op: Op, cases: int = 200) -> None:
    for case, generator in generators(cases):
        features = torch.randn(2, 1, 4, 5, dtype=torch.float64, generator=generator)
        boxes = some_boxes(2, generator, case % 2 == 0).double() / (1 if case % 2 == 0 else 4)
        rois = torch.cat([torch.randint(0, 2, (2, 1), generator=generator), boxes], 1)
        bins, scale = (1 + case % 2, 2 - case % 2), (1.0, 0.5)[case // 2 % 2]
        expected = [pooled_slowly(features, roi, bins, scale) for roi in rois.tolist()]
        assert_close(op(features, rois, bins, scale), torch.tensor(expected, dtype=torch.float64).unsqueeze(1))


def pooled_slowly(features: Tensor, roi: list[float], bins: tuple[int, int], scale: float) -> list[list[float]]:
    image, (x1, y1, x2, y2) = int(roi[0]), (scale * side for side in roi[1:])
    high, wide = (y2 - y1) / bins[0], (x2 - x1) / bins[1]
    channel = features[image, 0].tolist()
    return [
        [
            slow_ops.bin_mean(channel, y1 + p * high, x1 + q * wide, y1 + (p + 1) * high, x1 + (q + 1) * wide)
            for q in range(bins[1])
        ]
        for p in range(bins[0])
    ]


def check_refine_boxes(op: Op, cases: int = 200) -> None:
    for case, generator in generators(cases):
        goal, spread = some_boxes(3, generator, False).double(), 10.0 + case % 40
        start = goal + torch.randn(3, 4, dtype=torch.float64, generator=generator) * 3
        start[:, 2:] = torch.maximum(start[:, 2:], start[:, :2] + 1)
        settings = {"step": (0.5, 8.0, 40.0)[case % 3], "steps": 1 + case % 5, "stop_delta": 0.001}
        refined, scores = op(
            start,
            lambda boxes, goal=goal, spread=spread: (-((boxes - goal) ** 2).sum(1) / spread**2).exp(),
            **settings,
            max_drop=-0.01,
            keep_worse=case % 2 == 0,
        )
        for row in range(3):
            path = walk(start[row].tolist(), goal[row].tolist(), spread, settings)
            box, score = path[-1] if case % 2 == 0 else max(path, key=lambda point: point[1])
            assert_close(refined[row], torch.tensor(box, dtype=torch.float64))
            assert_close(float(scores[row]), score)


def walk(box: list[float], goal: list[float], spread: float, settings: dict) -> list[tuple[list[float], float]]:
    def score(at: list[float]) -> float:
        return math.exp(-sum((x - g) ** 2 for x, g in zip(at, goal, strict=True)) / spread**2)

    def gradient(at: list[float]) -> list[float]:
        return [-2 * (x - g) / spread**2 * score(at) for x, g in zip(at, goal, strict=True)]

    return slow_ops.refine(box, score, gradient, max_drop=-0.01, **settings)
