"""Mixture, separation, balance, jitter and refinement: the edge cases that the papers and their issues name."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from detectors.ops import (
    aligned_iou,
    fit_two_gaussians,
    iou_balanced_cls_weights,
    iou_balanced_loc_weights,
    jitter_boxes_uniform_iou,
    refine_boxes,
    separate,
)


def positives(losses: list[float], scheme: str = "c") -> list[int]:
    table, valid = torch.tensor([losses]), torch.ones(1, len(losses), dtype=torch.bool)
    return separate(table, *fit_two_gaussians(table, valid), valid, scheme)[0].tolist()


def test_two_clusters() -> None:
    losses = [0.9, 3.0, 1.0, 3.2, 1.1, 2.9, 1.05]
    assert positives(losses, "a") == [1, 0, 1, 0, 1, 0, 1]
    verdict = positives(losses, "c")
    assert verdict[0] == 1
    assert -1 not in verdict
    assert [verdict[i] for i in (1, 3, 5)] == [0, 0, 0]
    assert -1 in positives(losses, "d")


@pytest.mark.parametrize("scheme", ["b", "c"])
@pytest.mark.parametrize(
    ("losses", "expected"),
    [([2.0, 2.0, 2.0, 2.0], [1, 0, 0, 0]), ([0.7], [1]), ([], []), ([1.0, 2.0], [1, 0]), ([2.0, 1.0], [0, 1])],
    ids=["equal", "one", "none", "two", "two reversed"],
)
def test_few_or_equal_candidates(losses: list[float], expected: list[int], scheme: str) -> None:
    assert positives(losses, scheme) == expected


def test_the_gap_between_modes_is_ignored_in_b() -> None:
    verdict = positives([1.0, 1.1, 1.2, 1.3, 2.9, 3.0, 3.1, 3.4], "b")
    assert verdict[0] == 1
    assert verdict[-1] == 0
    assert -1 in verdict
    assert positives([1.0, 1.1, 1.2, 1.3, 2.9, 3.0, 3.1, 3.4], "c").count(-1) == 0


def test_losses_that_are_not_finite_are_no_candidates() -> None:
    losses = torch.tensor([[1.0, torch.nan, 3.0, torch.inf, 1.2]])
    labels, density = fit_two_gaussians(losses, torch.ones_like(losses, dtype=torch.bool))
    clean = fit_two_gaussians(losses[:, [0, 2, 4]], torch.ones(1, 3, dtype=torch.bool))
    assert labels[0].tolist() == [0, -1, 1, -1, 0]
    assert_close(density[:, [0, 2, 4]], clean[1])
    assert separate(losses, labels, density, labels > -5)[0, [1, 3]].tolist() == [0, 0]


def test_objects_do_not_depend_on_company() -> None:
    losses = torch.rand(40, 30, generator=torch.Generator().manual_seed(0)) * 4
    valid = torch.rand(40, 30, generator=torch.Generator().manual_seed(1)) < 0.7
    labels, _ = fit_two_gaussians(losses, valid)
    for row in range(40):
        assert fit_two_gaussians(losses[row : row + 1], valid[row : row + 1])[0].tolist() == [labels[row].tolist()]


def test_unknown_scheme() -> None:
    with pytest.raises(ValueError, match="scheme: 'e' is unknown"):
        separate(torch.rand(1, 2), torch.zeros(1, 2).long(), torch.rand(1, 2), torch.ones(1, 2).bool(), "e")


def test_equal_ious_and_a_zero_exponent_change_nothing() -> None:
    loss = torch.rand(6)
    assert_close(iou_balanced_cls_weights(loss, torch.full((6,), 0.4), 1.5), torch.ones(6))
    assert (iou_balanced_cls_weights(loss, torch.tensor([0.0, 0.1, 0, 0.9, 1, 0.5]), 0.0) == 1).all()
    assert (iou_balanced_loc_weights(torch.tensor([0.0, 0.3, 1.0]), 0.0, 1.0) == 1).all()


def test_the_sum_over_each_group_is_kept() -> None:
    loss, iou = torch.rand(40, dtype=torch.float64), torch.rand(40, dtype=torch.float64)
    groups = torch.arange(40) % 3
    weighted = loss * iou_balanced_cls_weights(loss, iou, 1.5, groups=groups, num_groups=4)
    for group in range(3):
        assert_close(weighted[groups == group].sum(), loss[groups == group].sum())
    without = iou_balanced_cls_weights(loss, torch.zeros_like(iou), 1.5)
    assert (without == 0).all()


def test_half_precision_sums_do_not_overflow() -> None:
    loss, iou = torch.full((3000,), 60.0, dtype=torch.float16), torch.full((3000,), 0.5, dtype=torch.float16)
    assert_close(iou_balanced_cls_weights(loss, iou, 1.0), torch.ones(3000, dtype=torch.float16))


def test_jitter_repeats_with_its_generator_and_refuses_a_bad_range() -> None:
    gt = torch.tensor([[10.0, 20, 40, 90]])
    first, second = (jitter_boxes_uniform_iou(gt, 5, 0.5, 1.0, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, second)
    assert_close(jitter_boxes_uniform_iou(gt, 5, 1.0, 1.0), gt.expand(1, 5, 4))
    with pytest.raises(ValueError, match=r"low, high: \[0.9, 0.5\] is no range of IoU"):
        jitter_boxes_uniform_iou(gt, 5, 0.9, 0.5)


def test_jitter_in_single_precision_far_from_the_origin() -> None:
    gt = torch.tensor([[1300.0, 790.0, 1316.0, 799.0]])
    boxes = jitter_boxes_uniform_iou(gt, 2000, 0.5, 0.6, torch.Generator().manual_seed(0))
    overlap = aligned_iou(boxes[0], gt.expand(2000, 4))
    assert boxes.dtype == torch.float32
    assert overlap.min() > 0.5 - 1e-4
    assert overlap.max() < 0.6 + 1e-4


START = torch.tensor([[0.0, 0.0, 10.0, 10.0]])


def hill(boxes: Tensor) -> Tensor:
    """Best where the right side is at 12, and steep enough to overshoot it."""
    return 1 - ((boxes[:, 2] - 12) / 10).abs()


def test_a_worsened_box_is_kept_as_the_paper_prints_it_or_left_for_the_best() -> None:
    settings = {"step": 5.0, "steps": 5, "stop_delta": 0.001, "max_drop": -0.01}
    kept, score = refine_boxes(START, hill, **settings)
    assert_close(kept, torch.tensor([[0.0, 0, 15, 10]]))
    assert_close(score, torch.tensor([0.7]))
    reverted, score = refine_boxes(START, hill, **settings, keep_worse=False)
    assert_close(reverted, START)
    assert_close(score, torch.tensor([0.8]))


def test_a_box_stops_alone_when_its_gain_is_small() -> None:
    calls = []

    def slope(boxes: Tensor) -> Tensor:
        calls.append(boxes)
        return boxes[:, 2] * torch.tensor([1e-6, 1e-1])

    refined, _ = refine_boxes(START.repeat(2, 1), slope, step=0.5, steps=3, stop_delta=0.001, max_drop=-0.01)
    assert_close(refined[:, 2], torch.tensor([10 + 5e-6, 10 * 1.05**3]))
    assert len(calls) == 4


def test_refinement_works_inside_no_grad_and_without_steps_or_boxes() -> None:
    with torch.no_grad():
        assert not torch.equal(refine_boxes(START, hill, step=0.5)[0], START)
    boxes, scores = refine_boxes(START, hill, steps=0)
    assert torch.equal(boxes, START)
    assert_close(scores, torch.tensor([0.8]))
    boxes, scores = refine_boxes(START[:0], hill)
    assert (boxes.shape, scores.shape) == ((0, 4), (0,))
