"""Dense detectors: what they are trained on, what they answer, and that losses never wait for a device."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

import detectors
from detectors import zoo
from detectors.families import dense
from detectors.families.dense_candidates import best_candidates
from detectors.families.dense_losses import hardest
from detectors.parts.anchors import Anchors
from detectors.parts.assign import BACKGROUND, IGNORED
from detectors.targets import pad_targets

TINY = [name for name in zoo.names() if "_tiny" in name and isinstance(zoo.config(name), dense.Config)]

Targets = list[dict[str, Tensor]]


def batch(seed: int = 0, images: int = 3, size: int = 64) -> tuple[Tensor, Targets]:
    generator = torch.Generator().manual_seed(seed)
    targets = []
    for count in range(images):
        corners = torch.rand(count, 2, 2, generator=generator) * size
        boxes = torch.cat([corners.amin(1), corners.amax(1)], 1)
        targets.append({"boxes": boxes, "labels": torch.randint(0, 3, (count,), generator=generator)})
    return torch.rand(images, 3, size, size, generator=generator), targets


def build(variant: str, classes: int = 3) -> Any:
    torch.manual_seed(0)
    return detectors.build(variant, classes)


def target(boxes: list[list[float]], crowd: bool = False) -> dict[str, Tensor]:
    count = len(boxes)
    return {
        "boxes": torch.tensor(boxes).reshape(-1, 4),
        "labels": torch.zeros(count, dtype=torch.int64),
        "iscrowd": torch.full((count,), crowd),
    }


HARD_TARGETS: dict[str, dict[str, Tensor]] = {
    "nothing": target([]),
    "only crowds": target([[0, 0, 64, 64], [5, 5, 20, 30]], crowd=True),
    "the same object thrice": target([[8, 8, 40, 40]] * 3),
    "smaller than a stride": target([[10.2, 10.1, 12.0, 11.9]]),
    "one pixel": target([[33, 33, 34, 34]]),
    "larger than the image": target([[-50, -40, 200, 300]]),
    "outside the image": target([[300, 300, 400, 420]]),
    "without area": target([[20, 20, 20, 50]]),
    "2000 objects": target([[i % 45, i // 45, i % 45 + 9, i // 45 + 12] for i in range(2000)]),
}


@pytest.mark.parametrize("variant", TINY)
@pytest.mark.parametrize("name", HARD_TARGETS)
def test_losses_and_gradients_are_finite_for_targets_that_misbehave(variant: str, name: str) -> None:
    model = build(variant)
    losses = model(torch.rand(2, 3, 64, 64), [HARD_TARGETS[name]] * 2)
    sum(losses.values()).backward()
    assert all(loss.isfinite() and loss >= 0 for loss in losses.values())
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name


@pytest.mark.parametrize("variant", TINY)
def test_steps_along_the_gradient_lower_the_losses(variant: str) -> None:
    model = build(variant)
    images, targets = batch(images=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    totals = []
    for _ in range(12):
        total = sum(model(images, targets).values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
    assert totals[-1] < 0.7 * totals[0]


@pytest.mark.parametrize("variant", TINY)
def test_evaluation_is_raw_predictions_followed_by_post(variant: str) -> None:
    model = build(variant).eval()
    images, _ = batch()
    raw = model.predict_raw(images)
    assert raw.num_images == 3
    assert len(raw) > 0
    assert (raw.scores > model.config.floor).all()
    assert ((raw.boxes >= 0) & (raw.boxes <= 64)).all()
    for ours, again in zip(model(images), model.post(raw), strict=True):
        assert ours.keys() >= {"boxes", "scores", "labels", "cls"} | raw.quality.keys()
        assert all(torch.equal(ours[name], again[name]) for name in ours)


@pytest.mark.parametrize("variant", TINY)
def test_an_image_gets_the_same_answer_alone_and_in_a_batch(variant: str) -> None:
    model = build(variant).eval()
    images, _ = batch()
    together = model(images)
    for image, found in zip(images, together, strict=True):
        alone = model([image])[0]
        torch.testing.assert_close(alone["scores"], found["scores"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(alone["boxes"], found["boxes"], rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("variant", TINY)
def test_losses_do_not_depend_on_how_positives_are_gathered(variant: str) -> None:
    model = build(variant)
    images, targets = batch(images=4)
    gathered = model(images, targets)
    model.training_losses.compact = False
    for name, loss in model(images, targets).items():
        torch.testing.assert_close(loss, gathered[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("variant", TINY)
def test_no_loss_waits_for_a_device(variant: str) -> None:
    """Tensors that pretend to be on a GPU hold no values: whatever would have to wait for one fails."""
    with FakeTensorMode(), torch.device("cuda"):
        model = detectors.build(variant, 3)
        targets = [{"boxes": torch.empty(n, 4), "labels": torch.empty(n, dtype=torch.int64)} for n in range(4)]
        losses = model.losses(model.as_batch(torch.empty(4, 3, 64, 64)), pad_targets(targets))
    assert all(loss.device.type == "cuda" and loss.requires_grad for loss in losses.values())


def test_the_check_for_waiting_can_fail() -> None:
    ways: list[Callable[[Tensor], Any]] = [Tensor.item, Tensor.nonzero, lambda x: x[x > 0], bool, Tensor.unique]
    for way in ways:
        with pytest.raises(Exception, match=r"[Dd]ata.dependent|aten\.|guard"), FakeTensorMode():
            way(torch.ones(1, device="cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("variant", TINY)
def test_a_gpu_is_not_waited_for(variant: str) -> None:
    model = build(variant).cuda()
    images, targets = batch(images=4)
    pixels = model.as_batch(images)
    padded = pad_targets([{name: values.cuda() for name, values in one.items()} for one in targets])
    model.losses(pixels, padded)
    torch.cuda.set_sync_debug_mode("error")
    try:
        sum(model.losses(pixels, padded).values()).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_half_precision_gives_finite_float32_losses() -> None:
    model = build("retinanet_tiny")
    images, targets = batch(images=4)
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(images, targets)
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())


def test_ignored_anchors_lose_nothing() -> None:
    model = build("retinanet_tiny")
    images, _ = batch(images=1)
    crowd = target([[0.0, 0, 64, 64]], crowd=True)
    with_crowd = model(images, [crowd])["cls"]
    without = model(images, [target([])])["cls"]
    assert float(with_crowd.detach()) < 0.5 * float(without.detach())


def candidates() -> Iterator[tuple[Tensor, float, int]]:
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        yield torch.rand(2, 12, 3, generator=generator), 0.5, 4
        yield torch.rand(2, 12, 3, generator=generator), 0.2, 100


def test_candidates_are_the_best_of_each_level_above_the_floor() -> None:
    anchors = Anchors(boxes=torch.zeros(12, 4), counts=(8, 3, 1))
    for scores, floor, limit in candidates():
        found = best_candidates(scores, anchors, floor, limit)
        expected = set()
        for image in range(2):
            for start, end in ((0, 8), (8, 11), (11, 12)):
                pairs = [(float(scores[image, a, c]), image, a, c) for a in range(start, end) for c in range(3)]
                expected |= {pair[1:] for pair in sorted(pairs, reverse=True)[:limit] if pair[0] > floor}
        rows = zip(found.image.tolist(), found.anchor.tolist(), found.label.tolist(), strict=True)
        assert set(rows) == expected
        assert torch.equal(found.scores, scores[found.image, found.anchor, found.label])
        assert torch.equal(found.level, anchors.level[found.anchor])


def test_hard_negatives_are_those_that_lose_most() -> None:
    labels = torch.tensor([[0, BACKGROUND, BACKGROUND, BACKGROUND, IGNORED, BACKGROUND], [BACKGROUND] * 6])
    values = torch.tensor([[0.0, 0.5, 0.9, 0.1, 5.0, 0.7], [1.0, 2, 3, 4, 5, 6]])
    assert hardest(values, labels, 2.0).tolist() == [[True, False, True, False, False, True], [False] * 6]
