"""The random sampler: bounds on positives, fill with negatives, ignored boxes never, every box alike."""

import pytest
import torch

from detectors.parts.assign import Assignment
from detectors.parts.sample import random


def assignment(positives: int, negatives: int, ignored: int, images: int = 2) -> Assignment:
    matched = torch.tensor([[3] * positives + [-1] * negatives + [-2] * ignored] * images)
    return Assignment(matched=matched, iou=torch.rand(matched.shape))


@pytest.mark.parametrize(
    ("positives", "negatives", "ignored", "expected"),
    [
        (50, 50, 10, (4, 12)),
        (2, 50, 10, (2, 14)),
        (0, 50, 0, (0, 16)),
        (50, 3, 10, (4, 3)),
        (1, 1, 40, (1, 1)),
        (0, 0, 5, (0, 0)),
    ],
)
def test_how_many_of_each(positives: int, negatives: int, ignored: int, expected: tuple[int, int]) -> None:
    sampler = random.Config(count=16, positive_share=0.25).build()
    given = assignment(positives, negatives, ignored)
    samples = sampler(given)
    for image in range(2):
        valid = samples.valid[image]
        chosen = samples.index[image][valid]
        assert len(set(chosen.tolist())) == len(chosen)
        matched = given.matched[image][chosen]
        assert (int((matched >= 0).sum()), int((matched == -1).sum())) == expected
        assert torch.equal(samples.matched[image][valid], matched)
        assert torch.equal(samples.iou[image][valid], given.iou[image][chosen])
    assert samples.positive.sum() == 2 * expected[0]


def test_every_box_is_drawn_equally_often() -> None:
    torch.manual_seed(0)
    sampler, given = random.Config(count=10, positive_share=0.5).build(), assignment(20, 40, 5, images=4000)
    samples = sampler(given)
    drawn = torch.bincount(samples.index.flatten(), minlength=65)
    assert torch.all((drawn[:20] / 1000 - 1).abs() < 0.15)
    assert torch.all((drawn[20:60] / 500 - 1).abs() < 0.2)
    assert drawn[60:].sum() == 0


def test_fewer_boxes_than_samples() -> None:
    samples = random.Config(count=512).build()(assignment(3, 2, 1))
    assert samples.index.shape == (2, 6)
    assert samples.valid.sum() == 2 * 5


def test_positives_alone() -> None:
    samples = random.Config(count=16, positive_share=0.5).build()(assignment(3, 20, 0))
    alone, slots = samples.positives(5)
    assert alone.index.shape == (2, 5)
    assert alone.valid.sum(1).tolist() == [3, 3]
    assert (alone.matched[alone.valid] == 3).all()
    assert torch.equal(alone.index, samples.index.gather(1, slots))


def test_values_of_samples() -> None:
    samples = random.Config(count=4, positive_share=0.5).build()(assignment(3, 5, 0))
    values = torch.rand(2, 8, 4)
    expected = torch.stack([values[image][samples.index[image]] for image in range(2)])
    assert torch.equal(samples.of(values), expected)
    assert torch.equal(samples.of(values[..., 0]), expected[..., 0])
