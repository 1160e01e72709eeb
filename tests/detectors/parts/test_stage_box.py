"""The second stage: what it trains on, its losses written out, and the contexts that it hands to qualities."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from detectors.parts.assign import IGNORED
from detectors.parts.head import two_fc
from detectors.parts.loss import LocLossConfig, giou, l1
from detectors.parts.proposals import Proposals
from detectors.parts.sample import random
from detectors.parts.stage import box
from detectors.targets import Targets, pad_targets

STRIDES, CLASSES = (4, 8, 16, 32), 3
SIZES = torch.tensor([[64.0, 96.0], [60.0, 90.0]])


def stage(**fields: Any) -> box.BoxStage:
    torch.manual_seed(0)
    fields = {"sampler": random.Config(count=24, positive_share=0.5), "head": two_fc.Config(width=16)} | fields
    built = box.Config(**fields).build(4, STRIDES, CLASSES)
    assert isinstance(built, box.BoxStage)
    for layer in (built.head.cls, built.head.box):  # type: ignore[union-attr]
        torch.nn.init.normal_(layer.weight, std=0.5)  # type: ignore[arg-type]
    return built


def features() -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(2, 4, 64 // stride, 96 // stride) for stride in STRIDES]


def targets() -> Targets:
    return pad_targets(
        [
            {"boxes": torch.tensor([[8.0, 8, 40, 30], [50, 10, 90, 60]]), "labels": torch.tensor([2, 1])},
            {
                "boxes": torch.tensor([[0.0, 0, 50, 50], [10, 10, 30, 30]]),
                "labels": torch.tensor([0, 1]),
                "iscrowd": torch.tensor([True, False]),
            },
        ],
        torch.device("cpu"),
    )


def proposals(count: int = 30) -> Proposals:
    torch.manual_seed(2)
    near = targets().boxes[:, torch.randint(0, 2, (count,))] + torch.randn(2, count, 4) * 4
    boxes = torch.cat([torch.minimum(near[..., :2], near[..., 2:]), torch.maximum(near[..., :2], near[..., 2:])], -1)
    valid = torch.ones(2, count, dtype=torch.bool)
    valid[1, 20:] = False
    return Proposals(
        boxes=boxes.clamp(0, 60),
        scores=torch.rand(2, count),
        valid=valid,
        level=torch.zeros(2, count, dtype=torch.int64),
    )


def test_trains_on_valid_proposals_and_on_objects_that_are_no_crowd() -> None:
    sampler = random.Config(count=1000, positive_share=1.0)
    _, context = stage(sampler=sampler).losses(features(), SIZES, proposals(), targets())
    samples = context.samples
    assert context.boxes.shape == (2, 32, 4)
    drawn = [set(samples.index[image][samples.valid[image]].tolist()) for image in range(2)]
    assert {30, 31} <= drawn[0]
    assert 31 in drawn[1]
    assert 30 not in drawn[1]
    assert drawn[1].isdisjoint(range(20, 30))
    _, without = stage(sampler=sampler, add_objects=False).losses(features(), SIZES, proposals(), targets())
    assert without.boxes.shape == (2, 30, 4)


@pytest.mark.parametrize("class_agnostic", [False, True])
@pytest.mark.parametrize("loss", [l1.Config(weight=2.0), giou.Config()])
def test_losses_are_sums_over_the_samples(class_agnostic: bool, loss: LocLossConfig) -> None:
    model = stage(class_agnostic=class_agnostic, loc_loss=loss)
    losses, context = model.losses(features(), SIZES, proposals(), targets())
    logits, codes = model.head(context.pooled)
    valid, positive = context.samples.valid.flatten(), context.samples.positive.flatten()
    labels = context.samples.labels(context.targets).flatten()
    wanted = torch.where(positive, labels, CLASSES)
    torch.testing.assert_close(losses["cls"], functional.cross_entropy(logits[valid], wanted[valid]))
    if not class_agnostic:
        codes = codes.view(-1, CLASSES, 4)[torch.arange(len(codes)), labels]
    objects = context.samples.boxes(context.targets).flatten(0, 1)
    rows = [
        loss.build()(
            *(
                (model.coder.decode(reference[None], code[None]), thing[None])
                if loss.kind == "giou"
                else (code[None], model.coder.encode(reference[None], thing[None]))
            )
        ).sum()
        for reference, code, thing in zip(
            context.boxes.flatten(0, 1)[positive], codes[positive], objects[positive], strict=True
        )
    ]
    assert len(rows) > 5
    torch.testing.assert_close(losses["box"], loss.weight * torch.stack(rows).sum() / valid.sum())


def test_training_context() -> None:
    model = stage()
    _, context = model.losses(features(), SIZES, proposals(), targets())
    flat, image = context.boxes.flatten(0, 1), context.image.flatten()
    torch.testing.assert_close(context.pool(flat, image), context.pooled)
    labels = context.samples.labels(context.targets).flatten()
    regressed = context.regress(flat, image, labels)
    torch.testing.assert_close(context.regressed.flatten(0, 1), regressed)
    assert not regressed.requires_grad
    assert not context.regressed.requires_grad
    assert (regressed[:, 2] <= SIZES[image, 1]).all()
    assert (regressed >= 0).all()
    valid = torch.tensor([[True, True, False], [False, True, True]])
    boxes = targets().boxes[:, [0, 1, 1]]
    assignment = context.assign(boxes, valid)
    assert assignment.matched[0].tolist() == [0, 1, IGNORED]
    assert assignment.matched[1, 0] == IGNORED
    assert assignment.matched[1, 1] == 1


@torch.no_grad()
@pytest.mark.parametrize("class_agnostic", [False, True])
def test_prediction_context(class_agnostic: bool) -> None:
    model, given = stage(class_agnostic=class_agnostic).eval(), proposals()
    context = model.predict(features(), SIZES, given, floor=0.4)
    raw = context.raw
    assert 10 < len(raw) < 50 * CLASSES
    logits, _ = model.head(context.pool(context.boxes, context.image))
    scores = logits.softmax(1)[:, :-1]
    assert ((scores > 0.4).any(1)).all()
    assert len(raw) == int((scores > 0.4).sum())
    torch.testing.assert_close(raw.scores, scores[context.proposal, raw.labels])
    assert torch.equal(raw.image, context.image[context.proposal])
    assert torch.equal(given.boxes[raw.image, raw.source], context.boxes[context.proposal])
    assert given.valid[raw.image, raw.source].all()
    best = context.regress(context.boxes, context.image, scores.argmax(1))
    torch.testing.assert_close(context.best, best)
    torch.testing.assert_close(raw.boxes, context.regress(context.boxes[context.proposal], raw.image, raw.labels))
    torch.testing.assert_close(context.pooled, context.pool(context.boxes, context.image))
    assert (raw.boxes[:, 2] <= SIZES[raw.image, 1]).all()


@torch.no_grad()
def test_no_candidate_above_the_floor() -> None:
    context = stage().eval().predict(features(), SIZES, proposals(), floor=1.0)
    assert len(context.raw) == len(context.boxes) == len(context.pooled) == 0
    assert context.best.shape == (0, 4)
