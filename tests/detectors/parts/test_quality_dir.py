"""DIR against a slow reference with loops; hindsight and foresight; which candidates are judged."""

import math
from typing import Literal

import pytest
import slow_boxes
import torch
from roi_context import SPEC, prediction, scattered, targets_of, training
from torch.testing import assert_close

from detectors.parts.quality import Quality, RoITraining
from detectors.parts.quality.dir import Config

Where = Literal["box", "proposal"]


def build(config: Config) -> Quality:
    torch.manual_seed(0)
    part = config.build(SPEC)
    for parameter in part.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return part


def seen(part: Quality, name: str, box: torch.Tensor) -> float:
    logit = part.judges[name](box.view(1, 4, 1, 1) / 100, torch.zeros(1, dtype=torch.int64)).item()
    return 1 / (1 + math.exp(-logit))


def cross_entropy(p: float, target: float) -> float:
    return -target * math.log(p) - (1 - target) * math.log(1 - p)


def slow_losses(part: Quality, context: RoITraining, train_on: Where) -> dict[str, float]:
    total, number = {"purity": 0.0, "integrity": 0.0, "iou": 0.0}, 0
    for image, matched in enumerate(context.samples.matched.tolist()):
        for slot, target in enumerate(matched):
            if target < 0:
                continue
            box, gt = context.regressed[image, slot].tolist(), context.targets.boxes[image, target].tolist()
            judged = context.regressed[image, slot] if train_on == "box" else context.boxes[image, slot]
            p, i = (seen(part, name, judged) for name in ("purity", "integrity"))
            total["purity"] += cross_entropy(p, slow_boxes.covered(box, gt))
            total["integrity"] += cross_entropy(i, slow_boxes.covered(gt, box))
            total["iou"] += cross_entropy(1 / (1 / p + 1 / i - 1), slow_boxes.iou(box, gt))
            number += 1
    return {f"quality_{name}": value / max(number, 1) for name, value in total.items()}


def some_context(seed: int) -> RoITraining:
    generator = torch.Generator().manual_seed(seed)
    objects = scattered(3, 4, generator)
    targets = targets_of([objects[0].tolist(), objects[1, :2].tolist(), []])
    return training(targets, scattered(3, 30, generator))


@pytest.mark.parametrize("train_on", ["box", "proposal"])
def test_losses_equal_the_slow_ones(train_on: Where) -> None:
    part = build(Config(width=8, train_on=train_on))
    for seed in range(20):
        context = some_context(seed)
        losses = {name: loss.item() for name, loss in part.losses(context).items()}
        assert_close(losses, slow_losses(part, context, train_on), atol=1e-5, rtol=1e-4)


def test_a_regressed_box_beside_its_object_is_a_valid_example() -> None:
    part = build(Config(width=8))
    context = training(targets_of([[[10.0, 10, 13, 13]]]), torch.tensor([[[10.0, 10, 13, 13]]]))
    box = context.regressed[0, 0]
    assert box.tolist() == [14, 10, 17, 13]
    loss = part.losses(context)
    assert_close(loss["quality_purity"].item(), cross_entropy(seen(part, "purity", box), 0), atol=1e-5, rtol=1e-4)
    assert loss["quality_iou"].isfinite()


def test_the_direct_regressor_learns_the_iou_alone() -> None:
    part = build(Config(width=8, regressor="direct"))
    context = some_context(2)
    assert set(part.losses(context)) == {"quality_iou"}
    assert set(part.judges) == {"iou"}
    assert set(part.predict(prediction(scattered(1, 2, torch.Generator())[0], torch.ones(2, 3))).quality) == {"iou"}


def test_a_higher_learning_rate_is_that_of_its_own_layers_only() -> None:
    gradients = {}
    for rate in (1.0, 3.0):
        part = build(Config(width=8, regressor="direct", train_on="proposal", learning_rate=rate))
        context = some_context(3)
        context.pooled.requires_grad_()
        sum(part.losses(context).values()).backward()
        gradients[rate] = torch.cat([parameter.grad.flatten() for parameter in part.parameters()]), context.pooled.grad
    assert_close(gradients[3.0][0], 3 * gradients[1.0][0])
    assert_close(gradients[3.0][1], gradients[1.0][1])


def test_without_positives_the_loss_is_zero_and_trainable() -> None:
    part = build(Config(width=8))
    loss = sum(part.losses(training(targets_of([[]]), scattered(1, 9, torch.Generator().manual_seed(0)))).values())
    loss.backward()
    assert loss.item() == 0
    assert all(not parameter.grad.any() for parameter in part.parameters())


@pytest.mark.parametrize("infer_on", ["box", "proposal"])
@pytest.mark.parametrize("judged", ["best", "own"])
def test_prediction(infer_on: Where, judged: Literal["own", "best"]) -> None:
    part = build(Config(width=8, infer_on=infer_on, judged=judged, min_cls=0.3))
    generator = torch.Generator().manual_seed(0)
    context = prediction(scattered(1, 9, generator)[0], torch.rand(9, 3, generator=generator))
    raw = part.predict(context)
    above = (context.raw.scores > 0.3).nonzero().squeeze(1)
    assert 0 < len(above) < 27
    assert_close(raw.scores, context.raw.scores[above])
    for row, candidate in enumerate(above.tolist()):
        box = {"best": context.best[candidate // 3], "own": context.raw.boxes[candidate]}[judged]
        box = box if infer_on == "box" else context.boxes[candidate // 3]
        p, i = (seen(part, name, box) for name in ("purity", "integrity"))
        means = {"geometric": (p * i) ** 0.5, "arithmetic": (p + i) / 2}
        expected = {"purity": p, "integrity": i, "iou": 1 / (1 / p + 1 / i - 1), **means}
        assert_close({name: values[row].item() for name, values in raw.quality.items()}, expected, atol=1e-5, rtol=1e-4)
