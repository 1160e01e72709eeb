"""Torchvision's one-stage detectors: their weights load, and give their detections."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torchvision.models import detection

import detectors
from detectors.families.dense_weights import retinanet_from_torchvision

CLASSES = 12


def scatter(model: nn.Module, cls: nn.Conv2d, loc: nn.Conv2d, anchors: int) -> None:
    """Random weights whose scores spread around the thresholds; torchvision's background channel never fires."""
    with torch.no_grad():
        cls.weight.normal_(0, 0.02)
        loc.weight.normal_(0, 0.01)
        bias = torch.full((anchors, CLASSES), -4.0)
        bias[:, 0] = -100
        cls.bias.copy_(bias.flatten())


def assert_same(ours: list[dict[str, torch.Tensor]], theirs: list[dict[str, torch.Tensor]]) -> None:
    for mine, other in zip(ours, theirs, strict=True):
        assert len(other["boxes"]) > 50
        torch.testing.assert_close(mine["boxes"], other["boxes"], rtol=0, atol=1e-4)
        torch.testing.assert_close(mine["scores"], other["scores"], rtol=0, atol=1e-4)
        assert torch.equal(mine["labels"] + 1, other["labels"])


def test_retinanet_gives_torchvisions_detections() -> None:
    torch.manual_seed(0)
    theirs = detection.retinanet_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=CLASSES, min_size=128, max_size=256
    ).eval()
    scatter(theirs, theirs.head.classification_head.cls_logits, theirs.head.regression_head.bbox_reg, 9)
    config = detectors.zoo.config("retinanet_r50_fpn")
    ours = detectors.build(replace(config, post=replace(config.post, max_detections=300)), CLASSES - 1).eval()
    ours.load_state_dict(retinanet_from_torchvision(theirs.state_dict(), range(1, CLASSES)))
    images = [torch.rand(3, 128, 160), torch.rand(3, 128, 192)]
    with torch.no_grad():
        assert_same(ours(images), theirs(images))


def test_weights_of_another_detector_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'roi_heads.box_head.fc6.weight' is no weight of this torchvision detector"):
        retinanet_from_torchvision({"roi_heads.box_head.fc6.weight": torch.zeros(1)}, [1])
