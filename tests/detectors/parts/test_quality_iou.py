"""The simplest quality: its target is the IoU of the regressed box, its loss the mean over positives."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_iou

from detectors.parts.proposals import Proposals
from detectors.parts.quality import RoIPrediction, RoISpec, RoITraining, iou
from detectors.parts.sample import Samples
from detectors.raw import Raw
from detectors.targets import pad_targets

SPEC = RoISpec(channels=2, strides=(4,), resolution=3, num_classes=2)


def pool(boxes: Tensor, image: Tensor) -> Tensor:
    """Features that tell boxes and images apart."""
    values = torch.cat([boxes / 50, image[:, None].float()], 1) @ torch.linspace(-1, 1, 5 * 18).view(5, 18)
    return values.sin().view(-1, 2, 3, 3)


def refuse(*_: Any) -> Any:
    raise AssertionError("this quality has no use for it")


def training(positive: list[list[bool]]) -> RoITraining:
    torch.manual_seed(0)
    corner = torch.rand(2, 4, 2) * 20
    boxes = torch.cat([corner, corner + 20 + torch.rand(2, 4, 2) * 10], -1)
    matched = torch.where(torch.tensor(positive), torch.tensor([1, 0, 1, 0]), -1)
    samples = Samples(
        index=torch.zeros_like(matched), matched=matched, iou=torch.rand(2, 4), valid=torch.ones_like(matched) > 0
    )
    objects = {"boxes": torch.tensor([[5.0, 5, 30, 30], [15, 15, 45, 40]]), "labels": torch.tensor([1, 0])}
    unused = torch.zeros(2, 4)
    return RoITraining(
        features=[],
        sizes=torch.tensor([[64.0, 64.0]] * 2),
        targets=pad_targets([objects, objects]),
        proposals=Proposals(boxes=boxes, scores=unused, valid=unused > 0, level=unused.long()),
        samples=samples,
        boxes=torch.full_like(boxes, torch.nan),
        pooled=unused,
        regressed=boxes,
        pool=pool,
        regress=refuse,
        assign=refuse,
    )


def part(**fields: Any) -> iou.BoxIoU:
    torch.manual_seed(1)
    built = iou.Config(width=8, **fields).build(SPEC)
    assert isinstance(built, iou.BoxIoU)
    torch.nn.init.normal_(built.out.weight)
    return built


def test_loss_is_the_mean_over_positives() -> None:
    quality, context = part(weight=2.0), training([[True, False, True, True], [False, True, False, False]])
    total, count = torch.zeros(()), 0
    for image in range(2):
        for slot in range(4):
            at = int(context.samples.matched[image, slot])
            if at < 0:
                continue
            box = context.regressed[image, slot][None]
            target = box_iou(box, context.targets.boxes[image, at][None])[0]
            logit = quality.out(quality.shared(pool(box, torch.tensor([image]))))[0]
            total, count = total + functional.binary_cross_entropy_with_logits(logit, target), count + 1
    torch.testing.assert_close(quality.losses(context), {"quality_iou": 2 * total / count})


def test_without_positives_the_loss_is_zero_and_still_reaches_all_parameters() -> None:
    quality = part()
    losses = quality.losses(training([[False] * 4] * 2))
    assert losses["quality_iou"] == 0
    losses["quality_iou"].backward()
    assert all(p.grad is not None and (p.grad == 0).all() for p in quality.parameters())


def test_at_most_so_many_of_an_image() -> None:
    everything = training([[True] * 4] * 2)
    assert part(per_image=1).losses(everything) != part(per_image=4).losses(everything)
    torch.testing.assert_close(part(per_image=4).losses(everything), part(per_image=100).losses(everything))


@pytest.mark.parametrize("count", [0, 5])
def test_predicts_for_the_box_of_each_candidate(count: int) -> None:
    quality = part()
    boxes, image = torch.rand(count, 4) * 40, torch.arange(count) % 2
    none = torch.zeros(count, dtype=torch.int64)
    raw = Raw(boxes, torch.rand(count), none, image, none, none, 2, quality={"other": torch.rand(count)})
    unused = torch.zeros(0)
    context = RoIPrediction([], unused, raw, none, unused, none, unused, unused, none, pool, refuse)
    rated = quality.predict(context)
    assert set(rated.quality) == {"iou", "other"}
    expected = quality.out(quality.shared(pool(boxes, image))).sigmoid().squeeze(1)
    torch.testing.assert_close(rated.quality["iou"], expected)
