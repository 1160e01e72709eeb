"""Batches: resumable, the same for any number of workers and ranks, boxes that stay on their objects."""

from itertools import islice

import numpy as np
import pytest
import torch

from bench.data.batches.loader import eval_loader, train_loader
from bench.data.input import InputConfig
from bench.data.store import Store
from bench.errors import UserError

INPUT = InputConfig(min_size=(48, 64, 80), max_size=96, masks=True)


def same(one, other) -> bool:
    images = torch.equal(one[0].pixels, other[0].pixels) and one[0].sizes == other[0].sizes
    targets = all(torch.equal(a[name], b[name]) for a, b in zip(one[1], other[1], strict=True) for name in a)
    return images and targets and torch.equal(one[2], other[2])


@pytest.mark.parametrize("augment", ["none", "ssd"])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_resumed_loader_gives_the_batches_of_an_unbroken_one(tiny: dict[str, Store], augment: str, workers: int):
    config = InputConfig(min_size=(48, 64), max_size=96, augment=augment, mode="square")
    unbroken = list(islice(train_loader(tiny["train"], config, batch_size=5, seed=3), 25))
    first = train_loader(tiny["train"], config, batch_size=5, seed=3, num_workers=workers)
    start = list(islice(first, 13))
    second = train_loader(tiny["train"], config, batch_size=5, seed=3, num_workers=workers)
    second.load_state_dict(first.state_dict())
    resumed = start + list(islice(second, 12))
    assert all(same(a, b) for a, b in zip(unbroken, resumed, strict=True))


@pytest.mark.parametrize("count", [2, 4, 6])
def test_the_order_does_not_depend_on_the_number_of_ranks(tiny: dict[str, Store], count: int):
    alone = islice(train_loader(tiny["train"], INPUT, batch_size=6, seed=1), 9)
    ranks = [train_loader(tiny["train"], INPUT, batch_size=6, seed=1, rank=r, world_size=count) for r in range(count)]
    for whole, *parts in zip(alone, *ranks, strict=False):
        assert torch.equal(whole[2], torch.cat([part[2] for part in parts]))
        assert {len(part[2]) for part in parts} <= {6 // count, -(-6 // count)}
        for target, other in zip(whole[1], [target for part in parts for target in part[1]], strict=True):
            assert all(torch.equal(target[name], other[name]) for name in target)


def test_more_ranks_than_images_of_a_batch(tiny: dict[str, Store]):
    with pytest.raises(UserError, match=r"train\.batch_size: a batch of 4 .* by 5 workers; use 4 workers at most"):
        train_loader(tiny["train"], INPUT, batch_size=4, seed=1, rank=0, world_size=5)


def test_every_row_comes_once_an_epoch_and_other_epochs_have_other_orders(tiny: dict[str, Store]):
    loader = train_loader(tiny["train"], INPUT, batch_size=4, seed=0)
    assert len(loader) == 12
    rows = [tuple(batch[2].tolist()) for batch in islice(loader, 24)]
    assert sorted(sum(rows[:12], ())) == list(range(48))
    assert sorted(sum(rows[12:], ())) == list(range(48))
    assert rows[:12] != rows[12:]
    loader.set_epoch(1)
    assert [tuple(batch[2].tolist()) for batch in islice(loader, 12)] == rows[12:]


def test_another_seed_is_refused_by_a_resumed_loader(tiny: dict[str, Store]):
    state = train_loader(tiny["train"], INPUT, batch_size=4, seed=0).state_dict()
    with pytest.raises(UserError, match="seed"):
        train_loader(tiny["train"], INPUT, batch_size=4, seed=1).load_state_dict(state)


@pytest.mark.parametrize("augment", ["none", "ssd"])
def test_boxes_stay_on_their_masks(tiny: dict[str, Store], augment: str):
    """The box of each transformed mask is the transformed box, to within the rounding of nearest-neighbour masks."""
    config = InputConfig(min_size=(64, 100), max_size=200, augment=augment, masks=True, mode="keep_ratio")
    seen = 0
    for images, targets, _ in islice(train_loader(tiny["train"], config, batch_size=4, seed=5), 24):
        for target, (height, width) in zip(targets, images.sizes, strict=True):
            assert target["masks"].shape[1:] == (height, width)
            assert (target["boxes"] >= 0).all()
            assert (target["boxes"] <= torch.tensor([width, height, width, height])).all()
            for box, mask in zip(target["boxes"], target["masks"], strict=True):
                rows, columns = torch.nonzero(mask, as_tuple=True)
                if augment == "none":
                    found = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
                    assert (found - box).abs().max() <= 1.5
                    seen += 1
                elif len(rows):
                    assert columns.min() >= box[0] - 1.5
                    assert columns.max() + 1 <= box[2] + 1.5
    assert seen > 50 or augment == "ssd"


def test_evaluation_covers_every_image_once_and_its_scales_lead_back(tiny: dict[str, Store]):
    config = InputConfig(mode="square", min_size=(96,), max_size=96)
    rows = []
    for rank in range(3):
        batches = eval_loader(tiny["val"], config, batch_size=2, rank=rank, world_size=3)
        for images, scales, indices in batches:
            assert images.pixels.dtype == torch.uint8
            assert scales.shape == (len(indices), 2)
            rows += indices.tolist()
            for (height, width), scale, row in zip(images.sizes, scales, indices.tolist(), strict=True):
                found = tiny["val"].annotations(row)
                corner = torch.tensor([width, height]) / scale
                np.testing.assert_allclose(corner, [found.width, found.height], rtol=1e-6)
    assert sorted(rows) == list(range(17))
