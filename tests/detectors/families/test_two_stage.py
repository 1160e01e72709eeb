"""Two-stage detectors as a whole: they learn, a quality part plugs in, and another detector's boxes can be rated."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.ops import box_iou

import detectors
from detectors import zoo
from detectors.families import two_stage
from detectors.parts.loss import giou
from detectors.parts.neck import fpn
from detectors.parts.pool import prroi
from detectors.parts.quality import iou
from detectors.raw import Raw

SIDE = 64


def config(**fields: Any) -> two_stage.Config:
    base = zoo.config("faster_rcnn_tiny_iou")
    assert isinstance(base, two_stage.Config)
    return replace(base, **fields)


def scene(seed: int = 0) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """Two bright boxes on grey, of a class each."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.full((2, 3, SIDE, SIDE), 0.5) + torch.randn(2, 3, SIDE, SIDE, generator=generator) * 0.02
    boxes = torch.tensor([[[4.0, 6, 28, 30], [30, 28, 60, 58]], [[20.0, 2, 50, 22], [6, 30, 26, 62]]])
    for image, (first, second) in zip(images, boxes.int().tolist(), strict=True):
        image[0, first[1] : first[3], first[0] : first[2]] = 1
        image[2, second[1] : second[3], second[0] : second[2]] = 0
    return images, [{"boxes": both, "labels": torch.tensor([0, 1])} for both in boxes]


def trained(steps: int, **fields: Any) -> two_stage.TwoStage:
    torch.manual_seed(0)
    model = detectors.build(config(**fields), num_classes=2)
    assert isinstance(model, two_stage.TwoStage)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.02, momentum=0.9)
    images, targets = scene()
    for _ in range(steps):
        optimizer.zero_grad()
        torch.stack(list(model(images, targets).values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module")
def learned() -> two_stage.TwoStage:
    return trained(80)


@torch.no_grad()
def test_learns_what_it_is_shown(learned: two_stage.TwoStage) -> None:
    images, targets = scene(seed=1)
    for found, target in zip(learned(images), targets, strict=True):
        for box, label in zip(target["boxes"], target["labels"], strict=True):
            mine = found["labels"] == label
            best = found["scores"].masked_fill(~mine, 0).argmax()
            assert found["cls"][best] > 0.5
            assert box_iou(found["boxes"][best][None], box[None]).item() > 0.7


@torch.no_grad()
def test_rating_its_own_boxes_repeats_its_own_quality(learned: two_stage.TwoStage) -> None:
    images, _ = scene()
    raw = learned.predict_raw(images)
    rated = learned.rate(images, replace(raw, quality={}))
    torch.testing.assert_close(rated.quality["iou"], raw.quality["iou"])
    shifted = learned.rate(images, replace(raw, boxes=(raw.boxes + 8).clamp(max=SIDE)))
    assert (shifted.quality["iou"] != raw.quality["iou"]).any()
    assert torch.equal(shifted.scores, raw.scores)


def test_rating_needs_a_quality() -> None:
    model = detectors.build(config(quality=None, post=two_stage.Config().post), num_classes=2)
    assert isinstance(model, two_stage.TwoStage)
    nothing = torch.zeros(0, dtype=torch.int64)
    with pytest.raises(ValueError, match="give its config a quality part"):
        model.rate(scene()[0], Raw(torch.zeros(0, 4), torch.zeros(0), nothing, nothing, nothing, nothing, 2))


def test_training_the_quality_alone_leaves_the_rest_as_it_was(learned: two_stage.TwoStage) -> None:
    images, targets = scene()
    model = detectors.build(config(trains="quality"), num_classes=2)
    model.load_state_dict(learned.state_dict())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    losses = model.train()(images, targets)
    assert set(losses) == {"quality_iou"}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    torch.stack(list(losses.values())).sum().backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith("quality.") for name in changed)


def test_training_a_quality_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="trains = 'quality', but quality is null"):
        two_stage.Config(trains="quality")


def test_a_quality_adds_losses_and_a_column_and_changes_nothing_else() -> None:
    images, targets = scene()
    torch.manual_seed(0)
    plain = detectors.build(config(quality=None), num_classes=2)
    torch.manual_seed(0)
    model = detectors.build(config(), num_classes=2)
    model.load_state_dict(plain.state_dict(), strict=False)
    losses = []
    for one in (plain, model):
        torch.manual_seed(5)
        losses.append(one.train()(images, targets))
    assert set(losses[1]) - set(losses[0]) == {"quality_iou"}
    assert all(torch.equal(losses[0][name], losses[1][name]) for name in losses[0])
    without, with_quality = plain.eval().predict_raw(images), model.eval().predict_raw(images)
    assert torch.equal(without.boxes, with_quality.boxes)
    assert set(with_quality.quality) == {"iou"}


@pytest.mark.parametrize(
    "change",
    [
        lambda base: replace(base, stage=replace(base.stage, loc_loss=giou.Config(), class_agnostic=False)),
        lambda base: replace(base, stage=replace(base.stage, pool=prroi.Config(canonical_size=64.0))),
        lambda base: replace(base, quality=iou.Config(width=8, per_image=1, weight=3.0)),
        lambda base: replace(base, stage=replace(base.stage, add_objects=False)),
        lambda base: replace(base, neck=replace(base.neck, finest=8, extra="pool")),
    ],
)
def test_parts_are_exchanged_by_config_alone(change: Any) -> None:
    images, targets = scene()
    model = detectors.build(change(config()), num_classes=2)
    torch.stack(list(model(images, targets).values())).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    assert len(model.eval()(images)) == 2


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (None, "call model.eval"),
        ([], "0 for 2 images"),
        (
            [{"boxes": torch.zeros(3, 4), "labels": torch.zeros(2)}] * 2,
            r"targets\[0\]: boxes \(3, 4\) beside 2",
        ),
        ([{"boxes": torch.zeros(2, 5), "labels": torch.zeros(2)}] * 2, r"give boxes \[G, 4\]"),
    ],
)
def test_targets_that_do_not_fit(targets: Any, message: str) -> None:
    model = detectors.build("faster_rcnn_tiny", num_classes=2)
    with pytest.raises(ValueError, match=message):
        model(scene()[0], targets)


def test_anchors_of_another_pyramid() -> None:
    model = detectors.build(config(neck=fpn.Config(channels=8, extra="c5")), num_classes=2)
    with pytest.raises(ValueError, match=r"anchors.sizes has 4 levels, the neck gives 6"):
        model(scene()[0], scene()[1])
