"""The region proposal network: proposals against a loop over images and levels, losses against sums written out."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import nms

from detectors.parts.anchors import grid
from detectors.parts.proposals import Proposals, rpn
from detectors.parts.sample import random
from detectors.targets import pad_targets

PADDED = (64, 96)
SIZES = torch.tensor([[64.0, 96.0], [50.0, 70.0]])
STRIDES = (8, 16)


def network(**fields: object) -> rpn.RPN:
    torch.manual_seed(0)
    anchors = grid.Config(sizes=((16.0,), (32.0,)))
    config = rpn.Config(anchors=anchors, per_level=(60, 40), count=(30, 20), **fields)  # type: ignore[arg-type]
    model = config.build(8, STRIDES)
    assert isinstance(model, rpn.RPN)
    for layer in (model.cls, model.box):
        torch.nn.init.normal_(layer.weight, std=0.4)
    torch.nn.init.normal_(model.conv.weight, std=0.2)
    return model


def features() -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(2, 8, PADDED[0] // stride, PADDED[1] // stride) for stride in STRIDES]


def slow_proposals(model: rpn.RPN, image: int, per_level: int, count: int) -> tuple[Tensor, Tensor]:
    """One image, one level at a time."""
    anchors = model.anchors([(8, 12), (4, 6)], PADDED, torch.device("cpu"))
    boxes, scores, start = [], [], 0
    for level, size in zip(features(), anchors.counts, strict=True):
        hidden = functional.relu(model.conv(level[image : image + 1]))
        logits = model.cls(hidden)[0].permute(1, 2, 0).flatten()
        codes = model.box(hidden)[0].permute(1, 2, 0).reshape(-1, 4)
        best = logits.argsort(descending=True)[:per_level]
        decoded = model.coder.decode(anchors.boxes[start : start + size][best], codes[best])
        height, width = SIZES[image].tolist()
        decoded = torch.stack(
            [
                decoded[:, 0].clamp(0, width),
                decoded[:, 1].clamp(0, height),
                decoded[:, 2].clamp(0, width),
                decoded[:, 3].clamp(0, height),
            ],
            1,
        )
        extent = ((decoded[:, 2:] - decoded[:, :2]) >= 0.001).all(1)
        decoded, score = decoded[extent], logits[best][extent].sigmoid()
        kept = nms(decoded, score, 0.7)
        boxes.append(decoded[kept])
        scores.append(score[kept])
        start += size
    found, values = torch.cat(boxes), torch.cat(scores)
    order = values.argsort(descending=True)[:count]
    return found[order], values[order]


@torch.no_grad()
@pytest.mark.parametrize("training", [False, True])
def test_proposals_are_those_of_a_loop(training: bool) -> None:
    model = network().train(training)
    proposals, losses = model(features(), PADDED, SIZES, None)
    per_level, count = (60, 30) if training else (40, 20)
    assert losses == {}
    for image in range(2):
        boxes, scores = slow_proposals(model, image, per_level, count)
        valid = proposals.valid[image]
        assert int(valid.sum()) == len(boxes)
        torch.testing.assert_close(proposals.boxes[image][valid], boxes, atol=1e-4, rtol=1e-5)
        torch.testing.assert_close(proposals.scores[image][valid], scores)
        assert (proposals.boxes[image][~valid] == 0).all()


@torch.no_grad()
def test_slots_that_nothing_fills_are_marked() -> None:
    """A threshold of 0 leaves one proposal a level where all overlap."""
    model = network(iou_threshold=0.0).eval()
    proposals, _ = model([level * 0 for level in features()], PADDED, SIZES, None)
    assert isinstance(proposals, Proposals)
    assert proposals.boxes.shape == (2, 20, 4)
    assert 2 <= int(proposals.valid[0].sum()) < 20
    assert (proposals.scores[~proposals.valid] == 0).all()


def test_losses_are_sums_over_the_samples() -> None:
    """With more samples than anchors all of them count, so that the random draw does not matter."""
    model = network(sampler=random.Config(count=10_000, positive_share=1.0)).train()
    targets = pad_targets(
        [
            {"boxes": torch.tensor([[8.0, 8, 40, 30], [50, 10, 90, 60]]), "labels": torch.tensor([2, 0])},
            {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)},
        ],
        torch.device("cpu"),
    )
    _, losses = model(features(), PADDED, SIZES, targets)
    anchors = model.anchors([(8, 12), (4, 6)], PADDED, torch.device("cpu"))
    assignment = model.assigner(anchors, targets)
    logits, codes = model._judge(features())
    used = assignment.matched != -2
    cls = functional.binary_cross_entropy_with_logits(logits[used], (assignment.matched[used] >= 0).float())
    positive = assignment.matched >= 0
    assert int(positive.sum()) > 2
    wanted = model.coder.encode(anchors.boxes.expand(2, -1, -1)[positive], assignment.boxes(targets)[positive])
    box = functional.smooth_l1_loss(codes[positive], wanted, beta=1 / 9, reduction="sum") / used.sum()
    torch.testing.assert_close(losses["rpn_cls"], cls)
    torch.testing.assert_close(losses["rpn_box"], box)


def test_proposals_are_constants() -> None:
    model = network().train()
    inputs = [level.requires_grad_() for level in features()]
    proposals, _ = model(inputs, PADDED, SIZES, None)
    assert not proposals.boxes.requires_grad
    assert not proposals.scores.requires_grad
