"""IoU-Net: what it is trained on, which outputs answer, both losses, and refinement after suppression."""

from typing import Literal

import pytest
import torch
from roi_context import SPEC, prediction, regress, scattered, targets_of, training
from torch.nn import functional
from torch.testing import assert_close
from torchvision.ops import batched_nms

from detectors.ops import aligned_iou, iou_guided_nms
from detectors.parts.pool import prroi, roi_align
from detectors.parts.quality import Quality
from detectors.parts.quality.iou_net import Config
from detectors.parts.refine import gradient, regression

POOL = prroi.Config(resolution=1, levels=1)


def build(config: Config) -> Quality:
    torch.manual_seed(0)
    part = config.build(SPEC)
    for parameter in part.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return part


def examples(part: Quality, objects: list[list[list[float]]], crowd: bool = False) -> tuple[torch.Tensor, ...]:
    context = training(targets_of(objects, crowd), scattered(len(objects), 3, torch.Generator().manual_seed(0)))
    return part._examples(context)


def test_examples_are_even_in_iou_and_shared_among_objects() -> None:
    part = build(Config(width=8, pool=POOL, count=999))
    objects = [[[30.0, 30, 60, 50], [40, 20, 60, 70], [50, 50, 52, 53]], [], [[40.0, 40, 50, 45]]]
    boxes, labels, iou, valid = examples(part, objects)
    assert valid.sum(1).tolist() == [999, 0, 999]
    assert labels[0].bincount().tolist() == [333, 333, 333]
    assert labels[2].bincount().tolist() == [999]
    assert_close(iou[2], aligned_iou(boxes[2], torch.tensor(objects[2]).expand(999, 4)))
    for image in (0, 2):
        even = 0.5 + (torch.arange(999) + 0.5) / 1998
        assert (iou[image].sort().values - even).abs().max() < 0.5 * 1.95 / 999**0.5


def test_examples_stay_in_the_image_and_crowds_have_none() -> None:
    part = build(Config(width=8, pool=POOL, count=200))
    boxes, _, iou, valid = examples(part, [[[0.0, 0, 30, 20], [70, 60, 100, 90]]])
    assert valid.all()
    assert boxes.amin() >= 0
    assert (boxes[..., 2].amax(), boxes[..., 3].amax()) <= (100, 90)
    assert iou.min() > 0.5 - 1e-4
    assert not examples(part, [[[0.0, 0, 30, 20]]], crowd=True)[3].any()


def test_reassigned_examples_answer_for_the_object_they_fit_best() -> None:
    part = build(Config(width=8, pool=POOL, count=400, reassign=True))
    objects = [[[20.0, 20, 50, 50], [24, 20, 54, 50]]]
    boxes, labels, iou, valid = examples(part, objects)
    overlaps = torch.stack([aligned_iou(boxes[0], torch.tensor(around).expand(400, 4)) for around in objects[0]])
    assert_close(iou[0], overlaps.amax(0))
    assert_close(labels[0][valid[0]], overlaps.argmax(0)[valid[0]])
    source = torch.arange(400) % 2
    assert (labels[0] != source).sum() > 20


@pytest.mark.parametrize("class_agnostic", [True, False])
@pytest.mark.parametrize("loss", ["smooth_l1", "l1", "bce"])
def test_loss(loss: Literal["smooth_l1", "l1", "bce"], class_agnostic: bool) -> None:
    """On its own examples, drawn again with the same seed, one at a time: [0.5, 1] is mapped to [0, 1]."""
    part = build(Config(width=8, pool=POOL, count=20, loss=loss, class_agnostic=class_agnostic, weight=2.0))
    objects = [[[30.0, 30, 60, 50], [40, 20, 60, 70]], []]
    context = training(targets_of(objects), scattered(2, 3, torch.Generator().manual_seed(0)))
    measure = {"l1": functional.l1_loss, "bce": functional.binary_cross_entropy_with_logits}.get(loss)
    torch.manual_seed(5)
    value = part.losses(context)["quality_iou"]
    torch.manual_seed(5)
    boxes, labels, iou, _ = part._examples(context)
    pool, errors = POOL.build((8,)).on(context.features), []
    for slot in range(20):
        pooled = pool(boxes[0, slot : slot + 1], torch.zeros(1, dtype=torch.int64))
        output = part.judge(pooled, labels[0, slot : slot + 1])
        errors.append((measure or functional.smooth_l1_loss)(output, 2 * iou[0, slot : slot + 1] - 1))
    assert_close(value, 2 * sum(errors) / 20)


def test_no_objects_no_loss() -> None:
    part = build(Config(width=8, pool=POOL, count=20))
    loss = part.losses(training(targets_of([[], []]), scattered(2, 3, torch.Generator().manual_seed(0))))["quality_iou"]
    loss.backward()
    assert loss.item() == 0
    assert all(not parameter.grad.any() for parameter in part.parameters())


def test_gradients_reach_the_features() -> None:
    part = build(Config(width=8, pool=POOL, count=20))
    context = training(targets_of([[[30.0, 30, 60, 50]]]), scattered(1, 3, torch.Generator().manual_seed(0)))
    context.features[0].requires_grad_()
    part.losses(context)["quality_iou"].backward()
    assert context.features[0].grad.any()


@pytest.mark.parametrize("judged", ["own", "best"])
@pytest.mark.parametrize("loss", ["smooth_l1", "bce"])
def test_prediction(judged: Literal["own", "best"], loss: Literal["smooth_l1", "bce"]) -> None:
    part = build(Config(width=8, pool=POOL, judged=judged, loss=loss))
    generator = torch.Generator().manual_seed(0)
    context = prediction(scattered(1, 5, generator)[0], torch.rand(5, 3, generator=generator))
    raw, pool = part.predict(context), POOL.build((8,)).on(context.features)
    for candidate in range(15):
        box = raw.boxes[candidate] if judged == "own" else context.best[candidate // 3]
        output = part.judge(pool(box[None], torch.zeros(1, dtype=torch.int64)), raw.labels[candidate : candidate + 1])
        share = output.sigmoid() if loss == "bce" else output
        assert_close(raw.quality["iou"][candidate], (0.5 + 0.5 * share).clamp(0, 1)[0])


@pytest.mark.parametrize("chosen_by", ["iou", "cls"])
def test_refinement_follows_suppression_and_only_moves_what_it_kept(chosen_by: Literal["iou", "cls"]) -> None:
    generator = torch.Generator().manual_seed(0)
    context = prediction(scattered(1, 9, generator)[0], torch.rand(9, 3, generator=generator))
    plain = build(Config(width=8, pool=POOL)).predict(context)
    refine = gradient.Config(min_cls=0.2, count=6, steps=3, step=4.0, chosen_by=chosen_by)
    refined = build(Config(width=8, pool=POOL, refine=refine)).predict(context)
    chosen = plain.select((plain.scores > 0.2).nonzero().squeeze(1))
    if chosen_by == "iou":
        kept, scores = iou_guided_nms(chosen.boxes, chosen.scores, chosen.quality["iou"], 0.5, chosen.labels)
    else:
        kept = batched_nms(chosen.boxes, chosen.scores, chosen.labels, 0.5)
        scores = chosen.scores[kept]
    best = scores.argsort(descending=True)[:6]
    assert_close(refined.scores, scores[best])
    assert_close(refined.labels, chosen.labels[kept[best]])
    before = chosen.select(kept[best])
    moved = (refined.boxes - before.boxes).abs().amax(1) > 0
    assert moved.any()
    settled = build(Config(width=8, pool=POOL)).judge
    pool = POOL.build((8,)).on(context.features)
    again = 0.5 + 0.5 * settled(pool(refined.boxes, refined.image), refined.labels)
    assert_close(refined.quality["iou"], again.clamp(0, 1))


def test_without_worse_boxes_every_iou_rises_or_stays() -> None:
    generator = torch.Generator().manual_seed(1)
    context = prediction(scattered(1, 9, generator)[0], torch.rand(9, 3, generator=generator))
    none = regression.Config(steps=1, min_cls=0.0, count=99)
    best = gradient.Config(min_cls=0.0, count=99, step=60.0, keep_worse=False)
    worse = gradient.Config(min_cls=0.0, count=99, step=60.0)
    start = build(Config(width=8, pool=POOL)).predict(context)
    by_box = {tuple(box): iou for box, iou in zip(start.boxes.tolist(), start.quality["iou"].tolist(), strict=True)}
    raws = {
        kind: build(Config(width=8, pool=POOL, refine=config)) for kind, config in (("best", best), ("worse", worse))
    }
    chosen = build(Config(width=8, pool=POOL, refine=none)).refine._best(start)
    initial = torch.tensor([by_box[tuple(box)] for box in chosen.boxes.tolist()])
    assert (raws["best"].predict(context).quality["iou"] >= initial - 1e-6).all()
    assert (raws["worse"].predict(context).quality["iou"] < initial - 1e-3).any()


def test_iterative_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    context = prediction(scattered(1, 4, generator)[0], torch.rand(4, 3, generator=generator))
    part = build(Config(width=8, pool=POOL, refine=regression.Config(steps=2, min_cls=0.0)))
    before = part.refine._best(build(Config(width=8, pool=POOL)).predict(context))
    twice = regress(regress(before.boxes, before.image, before.labels), before.image, before.labels)
    assert_close(part.predict(context).boxes, twice)


def test_a_pool_without_gradients_cannot_refine() -> None:
    with pytest.raises(ValueError, match="pool = 'roi_align' has no gradient to boxes"):
        Config(pool=roi_align.Config(), refine=gradient.Config())
