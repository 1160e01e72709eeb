"""Max-IoU assignment against a slow reference, against torchvision's matcher, and on objects that misbehave."""

from typing import Any

import pytest
import torch
from slow_boxes import covered, iou, random_boxes, random_targets
from torch import Tensor
from torchvision.models.detection._utils import Matcher
from torchvision.ops import box_iou

from detectors.parts.anchors import Anchors
from detectors.parts.assign import BACKGROUND, IGNORED
from detectors.parts.assign.max_iou import Config
from detectors.targets import pad_targets


def slow(anchors: list[list[float]], target: dict[str, Tensor], config: Config) -> list[int]:
    """One image, one anchor at a time."""
    boxes, crowds = target["boxes"].tolist(), target["iscrowd"].tolist()
    objects = [g for g, crowd in enumerate(crowds) if not crowd]
    matched = []
    best = {g: max((iou(boxes[g], anchor) for anchor in anchors), default=0) for g in objects}
    for anchor in anchors:
        overlaps = {g: iou(boxes[g], anchor) for g in objects}
        top = max(overlaps.values(), default=0)
        favourite = next((g for g in objects if overlaps[g] == top), BACKGROUND)
        claims = [g for g in objects if overlaps[g] == best[g] > 0 and best[g] >= config.min_quality]
        verdict = IGNORED if top >= config.negative else BACKGROUND
        if top >= config.positive and top > 0:
            verdict = favourite
        if config.low_quality == "preferred" and claims:
            verdict = favourite
        if config.low_quality == "claimed" and claims:
            verdict = claims[-1]
        crowd = any(covered(anchor, boxes[g]) >= config.crowd_coverage for g, is_crowd in enumerate(crowds) if is_crowd)
        matched.append(IGNORED if verdict == BACKGROUND and crowd else verdict)
    return matched


CONFIGS: list[dict[str, Any]] = [
    {"positive": 0.5, "negative": 0.4, "low_quality": "preferred"},
    {"positive": 0.5, "negative": 0.5},
    {"positive": 0.6, "negative": 0.3, "low_quality": "claimed", "min_quality": 0.2},
    {"positive": 0.1, "negative": 0.1, "low_quality": "claimed", "crowd_coverage": 0.9},
]


@pytest.mark.parametrize("fields", CONFIGS)
def test_equals_the_slow_reference(fields: dict[str, Any]) -> None:
    config = Config(**fields)
    assigner = config.build()
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        listed, targets = random_targets(generator, size=48, whole=seed % 2 == 0)
        anchors = random_boxes(generator, 30, 48, whole=seed % 2 == 0).double()
        found = assigner(Anchors.of(anchors), targets)
        for image, target in enumerate(listed):
            assert found.matched[image].tolist() == slow(anchors.tolist(), target, config), (
                f"seed {seed}, image {image}"
            )


@pytest.mark.parametrize("low_quality", [True, False])
def test_equals_the_matcher_of_torchvision(low_quality: bool) -> None:
    matcher = Matcher(0.5, 0.4, allow_low_quality_matches=low_quality)
    assigner = Config(positive=0.5, negative=0.4, low_quality="preferred" if low_quality else "none").build()
    for seed in range(100):
        generator = torch.Generator().manual_seed(seed)
        boxes, anchors = random_boxes(generator, 5, 64), random_boxes(generator, 200, 64)
        found = assigner(
            Anchors.of(anchors), pad_targets([{"boxes": boxes, "labels": torch.zeros(5, dtype=torch.int64)}])
        )
        assert found.matched[0].tolist() == matcher(box_iou(boxes, anchors)).tolist()


def test_boxes_of_their_own_for_each_image() -> None:
    generator = torch.Generator().manual_seed(0)
    listed, targets = random_targets(generator, images=4)
    proposals = torch.stack([random_boxes(generator, 20, 96) for _ in range(4)])
    assigner = Config(positive=0.3, negative=0.3).build()
    together = assigner(Anchors.of(proposals), targets)
    for image, target in enumerate(listed):
        alone = assigner(Anchors.of(proposals[image]), pad_targets([target]))
        assert torch.equal(together.matched[image], alone.matched[0])
        torch.testing.assert_close(together.iou[image], alone.iou[0])


def test_labels_and_boxes_of_an_assignment() -> None:
    target = {"boxes": torch.tensor([[0.0, 0, 10, 10], [20, 20, 40, 40]]), "labels": torch.tensor([3, 7])}
    targets = pad_targets([target])
    anchors = torch.tensor([[0.0, 0, 10, 9], [21, 20, 40, 40], [50, 50, 60, 60], [20, 20, 40, 30]])
    found = Config(positive=0.6, negative=0.4).build()(Anchors.of(anchors), targets)
    assert found.matched.tolist() == [[0, 1, BACKGROUND, IGNORED]]
    assert found.labels(targets).tolist() == [[3, 7, BACKGROUND, IGNORED]]
    assert found.boxes(targets)[0, :2].tolist() == target["boxes"].tolist()
    torch.testing.assert_close(found.iou, torch.tensor([[0.9, 0.95, 0.0, 0.5]]))


@pytest.mark.parametrize("low_quality", ["none", "preferred", "claimed"])
def test_images_without_objects_are_all_background(low_quality: Any) -> None:
    empty = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}
    anchors = Anchors.of(random_boxes(torch.Generator().manual_seed(0), 50, 64))
    found = Config(positive=0.1, negative=0.1, low_quality=low_quality).build()(anchors, pad_targets([empty, empty]))
    assert found.matched.tolist() == [[BACKGROUND] * 50] * 2
    assert not found.iou.any()


def test_only_crowds_give_ignored_and_background_but_no_positives() -> None:
    crowd = {"boxes": torch.tensor([[0.0, 0, 32, 32]]), "labels": torch.tensor([0]), "iscrowd": torch.tensor([True])}
    anchors = torch.tensor([[0.0, 0, 32, 32], [0, 0, 8, 8], [28, 28, 40, 40], [50, 50, 60, 60]])
    found = Config(positive=0.1, negative=0.1, low_quality="claimed").build()(Anchors.of(anchors), pad_targets([crowd]))
    assert found.matched.tolist() == [[IGNORED, IGNORED, BACKGROUND, BACKGROUND]]


def test_objects_without_area_claim_nothing() -> None:
    target = {"boxes": torch.tensor([[5.0, 5, 5, 5], [9, 9, 3, 3]]), "labels": torch.tensor([0, 1])}
    anchors = Anchors.of(random_boxes(torch.Generator().manual_seed(0), 50, 64))
    found = Config(positive=0.0, negative=0.0, low_quality="claimed").build()(anchors, pad_targets([target]))
    assert not found.positive.any()


def test_no_anchors_give_an_empty_assignment() -> None:
    target = {"boxes": torch.tensor([[5.0, 5, 9, 9]]), "labels": torch.tensor([0])}
    for low_quality in ("none", "preferred", "claimed"):
        found = Config(low_quality=low_quality).build()(Anchors.of(torch.zeros(0, 4)), pad_targets([target]))
        assert found.matched.shape == (1, 0)


def test_a_negative_threshold_above_the_positive_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"negative = 0.6 is above positive = 0.5"):
        Config(positive=0.5, negative=0.6)
