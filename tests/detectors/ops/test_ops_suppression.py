"""Soft-NMS, IoU-guided NMS and score voting: the rules of the papers on cases one can check by hand; batching."""

import math

import pytest
import torch
from ops_checks import scene
from torch.testing import assert_close

from detectors.ops import iou_guided_nms, score_vote, soft_nms

PAIR = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1]])  # IoU 1/2


def test_linear_decay_starts_above_the_threshold() -> None:
    scores = torch.tensor([0.9, 0.8])
    assert_close(soft_nms(PAIR, scores, method="linear", iou_threshold=0.5)[1], scores)
    assert_close(soft_nms(PAIR, scores, method="linear", iou_threshold=0.49)[1], torch.tensor([0.9, 0.4]))


def test_gaussian_decay() -> None:
    keep, scores = soft_nms(PAIR, torch.tensor([0.8, 0.9]), method="gaussian", sigma=0.5)
    assert keep.tolist() == [1, 0]
    assert_close(scores, torch.tensor([0.9, 0.8 * math.exp(-0.5)]))


def test_boxes_are_kept_down_to_the_least_score() -> None:
    scores = torch.tensor([0.5, 0.25])
    assert soft_nms(PAIR, scores, method="linear", iou_threshold=0.9, min_score=0.25)[0].tolist() == [0, 1]
    assert soft_nms(PAIR, scores, method="linear", iou_threshold=0.9, min_score=0.2501)[0].tolist() == [0]


def test_unknown_method() -> None:
    with pytest.raises(ValueError, match="method: 'hard' is unknown"):
        soft_nms(PAIR, torch.rand(2), method="hard")


def test_max_keep_is_the_head_of_each_group() -> None:
    generator = torch.Generator().manual_seed(0)
    boxes, scores, groups = scene(generator, False)
    keep, final = soft_nms(boxes, scores, groups=groups)
    few, few_final = soft_nms(boxes, scores, groups=groups, max_keep=2)
    place = [(groups[keep[:i]] == groups[k]).sum() for i, k in enumerate(keep)]
    head = torch.tensor([p < 2 for p in place])
    assert few.tolist() == keep[head].tolist()
    assert_close(few_final, final[head])


def test_a_suppressed_box_feeds_only_its_first_keeper() -> None:
    """1 overlaps both keepers 0 and 2; its high class score goes to 0, which ranks first."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 3, 10, 13], [0, 6, 10, 16]])
    keep, scores = iou_guided_nms(boxes, torch.tensor([0.3, 0.9, 0.2]), torch.tensor([0.8, 0.5, 0.7]), 0.5)
    assert keep.tolist() == [0, 2]
    assert_close(scores, torch.tensor([0.9, 0.2]))


def test_a_suppressed_box_suppresses_none() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 3, 10, 13], [0, 6, 10, 16]])
    keep, scores = iou_guided_nms(boxes, torch.tensor([0.3, 0.9, 0.2]), torch.tensor([0.8, 0.7, 0.6]), 0.5)
    assert keep.tolist() == [0, 2]
    assert_close(scores, torch.tensor([0.9, 0.2]))


def test_many_boxes_cross_block_borders() -> None:
    """Hundreds of rows a block: a chain where each box suppresses the next, and one cluster over all blocks."""
    offsets = torch.arange(700.0)
    chain = torch.stack([offsets, offsets * 0, offsets + 2.8, offsets * 0 + 1], 1)
    cls, loc = torch.arange(700) / 700, torch.arange(700, 0, -1) / 700
    keep, scores = iou_guided_nms(chain, cls, loc, 0.4)
    assert keep.tolist() == list(range(0, 700, 2))
    assert_close(scores, (keep + 1).clamp(max=699) / 700)
    keep, scores = iou_guided_nms(chain[:1].repeat(700, 1), cls, loc, 0.4)
    assert (keep.tolist(), scores.tolist()) == ([0], [cls.max().item()])


@pytest.mark.parametrize("sigma", [0.0025, 0.025])
def test_vote_weights(sigma: float) -> None:
    """A neighbour of score 1 moves a box by its weight p / (1 + p), p from the published table of weights."""
    for iou in (0.95, 0.9, 0.8, 0.6):
        boxes = torch.tensor([[0.0, 0, 100, 100], [0, 0, 100, 100 * iou]])
        p = math.exp(-((1 - iou) ** 2) / sigma)
        voted = score_vote(torch.tensor([0]), boxes, torch.ones(2), sigma)
        assert_close(voted[0, 3], torch.tensor(100 - p / (1 + p) * 100 * (1 - iou)), atol=1e-3, rtol=0)


def test_a_box_alone_stays_and_so_does_one_without_weight() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [50, 50, 60, 60], [5, 5, 5, 5]])
    assert_close(score_vote(torch.tensor([1, 2, 0]), boxes, torch.tensor([0.0, 0.4, 0.3]), 0.025), boxes[[1, 2, 0]])


def test_groups_do_not_depend_on_company() -> None:
    """Bit for bit: each group alone gives what it gives among the others, far coordinates included."""
    generator = torch.Generator().manual_seed(1)
    boxes = torch.rand(600, 4, generator=generator) * 40
    boxes[:, 2:] += boxes[:, :2]
    scores, loc = torch.rand(2, 600, generator=generator)
    groups = torch.randint(0, 9, (600,), generator=generator) ** 2
    boxes[groups == 64] += 1e5
    runs = {
        "linear": lambda at: soft_nms(boxes[at], scores[at], method="linear", groups=groups[at]),
        "guided": lambda at: iou_guided_nms(boxes[at], scores[at], loc[at], 0.5, groups[at]),
        "vote": lambda at: (torch.arange(len(at)), score_vote(torch.arange(len(at)), boxes[at], scores[at], 0.025)),
    }
    together = {name: run(torch.arange(600)) for name, run in runs.items() if name != "vote"}
    voted = score_vote(torch.arange(600), boxes, scores, 0.025, groups=groups)
    for group in groups.unique():
        at = (groups == group).nonzero().squeeze(1)
        for name, (keep, values) in together.items():
            here = groups[keep] == group
            alone, alone_values = runs[name](at)
            assert keep[here].tolist() == at[alone].tolist()
            assert values[here].tolist() == alone_values.tolist()
        assert_close(voted[at], runs["vote"](at)[1])
