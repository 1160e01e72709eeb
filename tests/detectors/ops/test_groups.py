"""Order within groups and NMS within groups, held against loops over groups."""

import pytest
import torch
from torch import Tensor
from torchvision.ops import nms

from detectors.ops.groups import PAIRS, SMALL, _chunks, best_within, grouped_nms, order_within


def boxes(count: int, extent: float, generator: torch.Generator) -> Tensor:
    corner = torch.rand(count, 2, generator=generator) * extent - extent / 4
    return torch.cat([corner, corner + torch.rand(count, 2, generator=generator) * extent / 3], 1)


@pytest.mark.parametrize("seed", range(20))
def test_order_and_place_within_groups(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    groups = torch.randint(0, 4, (50,), generator=generator) * 7
    scores = torch.randint(0, 10, (50,), generator=generator) / 10
    expected = sorted(range(50), key=lambda i: (int(groups[i]), -float(scores[i]), i))
    order, place = order_within(groups, scores)
    assert order.tolist() == expected
    assert place.tolist() == [sum(int(groups[j] == groups[i]) for j in expected[:n]) for n, i in enumerate(expected)]
    best = [i for i, p in zip(expected, place.tolist(), strict=True) if p < 3]
    assert best_within(groups, scores, 3).tolist() == best


@pytest.mark.parametrize("seed", range(20))
def test_nms_within_groups_is_nms_of_each_group(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    found, groups = boxes(80, 60.0, generator), torch.randint(0, 5, (80,), generator=generator)
    scores = torch.rand(80, generator=generator)
    kept = grouped_nms(found, scores, groups, 0.4)
    expected = []
    for group in range(5):
        members = (groups == group).nonzero().squeeze(1)
        expected += members[nms(found[members], scores[members], 0.4)].tolist()
    assert kept.tolist() == expected


def of_each_group(found: Tensor, scores: Tensor, groups: Tensor, threshold: float) -> list[int]:
    """Torchvision's NMS, a call a group."""
    kept: list[int] = []
    for group in groups.unique().tolist():
        members = (groups == group).nonzero().squeeze(1)
        kept += members[nms(found[members].float(), scores[members].float(), threshold)].tolist()
    return kept


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1 / 3, 0.5, 0.6, 0.7, 1.0])
def test_an_iou_at_the_threshold_rounds_as_in_torchvision(threshold: float) -> None:
    """Boxes on whole pixels, with and without extent, have many IoUs of exactly a threshold; scores tie."""
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        corner = torch.randint(0, 12, (60, 2), generator=generator)
        found = torch.cat([corner, corner + torch.randint(0, 10, (60, 2), generator=generator)], 1).float()
        scores = torch.randint(0, 20, (60,), generator=generator) / 20
        groups = torch.randint(0, 6, (60,), generator=generator)
        expected = of_each_group(found, scores, groups, threshold)
        assert grouped_nms(found, scores, groups, threshold).tolist() == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_groups_of_every_size(dtype: torch.dtype) -> None:
    """One, two, a table full, one more than a table takes, hundreds; and numbers of groups that nobody has."""
    sizes = [1, 2, 2, SMALL - 1, SMALL, SMALL + 1, 0, 300, 1, 40]
    groups = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    generator = torch.Generator().manual_seed(0)
    groups = groups[torch.randperm(len(groups), generator=generator)]
    found = boxes(len(groups), 60.0, generator).to(dtype)
    scores = torch.rand(len(groups), generator=generator)
    expected = of_each_group(found, scores, groups, 0.4)
    assert grouped_nms(found, scores, groups, 0.4).tolist() == expected
    assert grouped_nms(found, scores, groups, 0.4, sizes).tolist() == expected


def test_many_small_groups_fill_several_tables() -> None:
    generator = torch.Generator().manual_seed(0)
    groups = torch.randint(0, 400, (9000,), generator=generator)
    assert int(groups.bincount().square().sum()) > 2 * PAIRS
    found, scores = boxes(9000, 60.0, generator), torch.rand(9000, generator=generator)
    assert grouped_nms(found, scores, groups, 0.5).tolist() == of_each_group(found, scores, groups, 0.5)


def test_groups_far_apart_in_number_do_not_blur_boxes() -> None:
    """IoU of the pair is 1/3 + 1e-4: offsets in float32 would lose that."""
    pair = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.4999, 0.0, 1.4999, 1.0]])
    far = torch.tensor([[0.0, 0.0, 4000.0, 4000.0]])
    groups = torch.tensor([79_999, 79_999, 0])
    kept = grouped_nms(torch.cat([pair, far]), torch.tensor([0.9, 0.8, 0.7]), groups, 1 / 3)
    assert sorted(kept.tolist()) == [0, 2]


def test_nothing_in_nothing_out() -> None:
    empty = torch.zeros(0, dtype=torch.int64)
    assert grouped_nms(torch.zeros(0, 4), torch.zeros(0), empty, 0.5).tolist() == []
    assert best_within(empty, torch.zeros(0), 5).tolist() == []


def test_chunks_hold_whole_groups() -> None:
    assert _chunks([3, 4, 5, 20, 1, 1], 8) == [7, 5, 20, 2]
    assert _chunks([], 8) == []
