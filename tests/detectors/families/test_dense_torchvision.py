"""Torchvision's one-stage detectors: their weights load, and give their detections."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.models import detection, vgg16

import detectors
from detectors import zoo
from detectors.detector import Detector
from detectors.parts.post import standard
from detectors.targets import pad_targets
from detectors.weights import load_torchvision_state

CLASSES = 12


def scatter(cls: nn.Conv2d, loc: nn.Conv2d, anchors: int, spread: float, reach: float) -> None:
    """Random weights whose scores spread around the thresholds; torchvision's background channel never fires."""
    with torch.no_grad():
        cls.weight.normal_(0, spread)
        loc.weight.normal_(0, 0.01)
        loc.bias.fill_(reach)
        bias = torch.full((anchors, CLASSES), -3.0)
        bias[:, 0] = -100
        cls.bias.copy_(bias.flatten())


def assert_same(ours: list[dict[str, torch.Tensor]], theirs: list[dict[str, torch.Tensor]]) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        assert len(other["boxes"]) > 50
        torch.testing.assert_close(mine["boxes"], other["boxes"], rtol=1e-5, atol=1e-4)
        torch.testing.assert_close(mine["scores"], other["scores"], rtol=0, atol=1e-4)
        assert torch.equal(mine["labels"] + 1, other["labels"])


def build(variant: str, state: dict[str, torch.Tensor], **changes: int) -> Detector:
    config = zoo.config(variant)
    assert isinstance(config.post, standard.Config)
    model = detectors.build(replace(config, post=replace(config.post, **changes)), CLASSES - 1).eval()
    load_torchvision_state(model, state)
    return model


IMAGES = [torch.rand(3, 128, width, generator=torch.Generator().manual_seed(1)) for width in (160, 192)]
SETTINGS = {"weights": None, "weights_backbone": None, "num_classes": CLASSES, "min_size": 128, "max_size": 256}


def test_retinanet_gives_torchvisions_detections() -> None:
    torch.manual_seed(0)
    theirs = detection.retinanet_resnet50_fpn(**SETTINGS).eval()
    scatter(theirs.head.classification_head.cls_logits, theirs.head.regression_head.bbox_reg, 9, 0.02, 0.0)
    with torch.no_grad():
        assert_same(build("retinanet_r50_fpn", theirs.state_dict(), max_detections=300)(IMAGES), theirs(IMAGES))


def test_fcos_gives_torchvisions_detections() -> None:
    torch.manual_seed(0)
    theirs = detection.fcos_resnet50_fpn(**SETTINGS).eval()
    scatter(theirs.head.classification_head.cls_logits, theirs.head.regression_head.bbox_reg, 1, 0.05, 2.0)
    nn.init.normal_(theirs.head.regression_head.bbox_ctrness.weight, std=0.05)
    with torch.no_grad():
        assert_same(build("fcos_r50_fpn", theirs.state_dict(), max_detections=100)(IMAGES), theirs(IMAGES))


@pytest.mark.parametrize("per_class", [400, 15])
def test_ssd_gives_torchvisions_detections(per_class: int) -> None:
    """More boxes of a class pass the threshold than are let into suppression: few of them, to see that it matters."""
    torch.manual_seed(0)
    theirs = detection.ssd300_vgg16(
        weights=None, weights_backbone=None, num_classes=CLASSES, topk_candidates=per_class
    ).eval()
    heads = zip(theirs.head.classification_head.module_list, theirs.head.regression_head.module_list, strict=True)
    with torch.no_grad():
        for cls, loc in heads:
            cls.bias.view(-1, CLASSES)[:, 0] = 5.0
            cls.weight.mul_(0.2)
            loc.weight.mul_(0.5)
        images = [torch.rand(3, 300, 300, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
        ours = build("ssd300_vgg16", theirs.state_dict(), per_class=per_class)
        assert int(ours.predict_raw(images).labels.bincount().max()) > 2 * per_class
        assert_same(ours(images), theirs(images))


def test_ssds_backbone_takes_the_weights_of_a_classifier() -> None:
    theirs = vgg16(weights=None, num_classes=1)
    ours = detectors.build("ssd300_vgg16", 3).backbone
    ours.load_classifier_state(theirs.state_dict())
    assert torch.equal(ours.state_dict()["features.0.weight"], theirs.features[0].weight)
    assert torch.equal(ours.state_dict()["conv5.5.bias"], theirs.features[28].bias)


def test_ssd512_has_the_default_boxes_of_its_paper() -> None:
    model = detectors.build("ssd512_vgg16", 3).eval()
    _, anchors = model.outputs(model.as_batch(torch.rand(1, 3, 512, 512)))
    assert anchors.shapes == ((64, 64), (32, 32), (16, 16), (8, 8), (4, 4), (2, 2), (1, 1))
    assert len(anchors) == 24564


def test_fcos_assigns_locations_as_torchvision_does() -> None:
    torch.manual_seed(0)
    theirs = detection.fcos_resnet50_fpn(**SETTINGS).train()
    seen: list[list[torch.Tensor]] = []
    theirs.head.compute_loss = lambda targets, outputs, anchors, matched: seen.append(matched) or {}
    ours = detectors.build("fcos_r50_fpn", CLASSES - 1)
    images = torch.rand(2, 3, 128, 192)
    pixels = ours.as_batch(images)
    with torch.no_grad():
        _, anchors = ours.outputs(pixels)
    assert ours.training_losses.assigner is not None
    for seed in range(5):
        corners = torch.rand(2, 8, 2, 2, generator=torch.Generator().manual_seed(seed)) * torch.tensor([192, 128])
        boxes = torch.cat([corners.amin(2), corners.amax(2)], 2)
        targets = [{"boxes": one, "labels": torch.ones(8, dtype=torch.int64)} for one in boxes]
        theirs(list(images), targets)
        found = ours.training_losses.assigner(anchors, pad_targets(targets))
        assert found.positive.any()
        assert torch.equal(found.matched, torch.stack(seen[-1]))


def test_chosen_classes_are_those_of_the_weights() -> None:
    state = detection.retinanet_resnet50_fpn(**SETTINGS).state_dict()
    model = detectors.build("retinanet_r50_fpn", 2)
    load_torchvision_state(model, state, classes=[7, 3])
    theirs = state["head.classification_head.cls_logits.weight"].view(9, CLASSES, 256, 3, 3)
    ours = model.state_dict()["head.cls.weight"].view(9, 2, 256, 3, 3)
    assert torch.equal(ours, theirs[:, [7, 3]])
    with pytest.raises(ValueError, match=r"labels 1 to 11; \[0\] are not there"):
        load_torchvision_state(model, state, classes=[0, 3])
    with pytest.raises(ValueError, match="do not fit the model"):
        load_torchvision_state(detectors.build("fcos_r50_fpn", 2), state, classes=[7, 3])


def test_weights_of_another_detector_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\d+ do not fit the model"):
        load_torchvision_state(detectors.build("retinanet_tiny", 1), {"roi_heads.box_head.fc6.weight": torch.zeros(1)})
