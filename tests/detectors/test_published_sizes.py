"""Parameters and operations of detectors are those that torchvision publishes of its own of the same name."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import detection

import detectors
from detectors.detector import Detector
from detectors.families.dense import Dense
from detectors.families.two_stage import TwoStage

PUBLISHED: dict[str, tuple[Any, int, int]] = {
    "retinanet_r50_fpn": (detection.RetinaNet_ResNet50_FPN_Weights.COCO_V1, 91, 800),
    "fcos_r50_fpn": (detection.FCOS_ResNet50_FPN_Weights.COCO_V1, 91, 800),
    "ssd300_vgg16": (detection.SSD300_VGG16_Weights.COCO_V1, 90, 300),
    "faster_rcnn_r50_fpn": (detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1, 90, 800),
}
"""what is published; classes, where ours have no channel for background one less; the side that 512 pixels become"""
PROPOSALS = 1000


@pytest.fixture(params=PUBLISHED)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def build(variant: str) -> Detector:
    with torch.device("meta"):
        return detectors.build(variant, PUBLISHED[variant][1]).eval()


def run(model: Detector, images: Tensor) -> None:
    """All that costs operations, on tensors without values: which boxes are proposed then does not matter."""
    if isinstance(model, Dense):
        model.outputs(model.as_batch(images))
    if isinstance(model, TwoStage):
        features = model.neck(model.backbone(images))
        model.proposals._judge(features)
        model.stage.head(images.new_zeros(PROPOSALS, model.neck.channels, *[model.stage.resolution] * 2))


def test_parameters(variant: str) -> None:
    """Frozen normalisation has none; torchvision's Faster R-CNN regresses a box of the background, too."""
    ours = sum(parameter.numel() for parameter in build(variant).parameters())
    more = 4 * 1025 if variant == "faster_rcnn_r50_fpn" else 0
    assert ours + more == PUBLISHED[variant][0].meta["num_params"]


def test_operations(variant: str) -> None:
    """Multiply-adds, in billions."""
    weights, _, side = PUBLISHED[variant]
    with FlopCounterMode(display=False) as counter:
        run(build(variant), torch.zeros(1, 3, side, side, device="meta"))
    assert counter.get_total_flops() / 2e9 == pytest.approx(weights.meta["_ops"], rel=0.005)
