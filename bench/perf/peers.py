"""Torchvision's detectors and ours with the same weights, whose random outputs spread as those of trained ones do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

import detectors
from detectors.families.dense import Dense
from detectors.weights import load_torchvision_state

CLASSES = 80
TRAINED_STAGES = 3


@dataclass(frozen=True)
class Pair:
    """Two detectors that should answer alike; labels of `theirs` count from 1."""

    name: str
    ours: nn.Module
    theirs: nn.Module
    peer_name: str


def pairs(device: torch.device) -> list[Callable[[], Pair]]:
    """Makers, so that only one pair is in memory at a time. Neither side resizes: ours never does."""
    return [lambda: faster_rcnn(device), lambda: retinanet(device), lambda: fcos(device)]


def faster_rcnn(device: torch.device) -> Pair:
    torch.manual_seed(0)
    theirs = _at_size(FasterRCNN(_backbone(), num_classes=CLASSES + 1))
    _spread(theirs, {"rpn.head.cls_logits": 2.0, "rpn.head.bbox_pred": 0.3}, device)
    _spread(theirs, {"roi_heads.box_predictor.cls_score": 2.0, "roi_heads.box_predictor.bbox_pred": 1.0}, device)
    ours = detectors.build("faster_rcnn_r50_fpn", num_classes=CLASSES)
    load_torchvision_state(ours, theirs.state_dict())
    return Pair("faster_rcnn_r50_fpn", ours.to(device), theirs, "torchvision")


def retinanet(device: torch.device) -> Pair:
    torch.manual_seed(0)
    theirs = _at_size(RetinaNet(_backbone(dense=True), num_classes=CLASSES + 1, detections_per_img=100))
    _spread(theirs, {"head.classification_head.cls_logits": 1.0, "head.regression_head.bbox_reg": 0.3}, device)
    _without_background(theirs.head.classification_head.cls_logits, lower=2.0)
    return _dense("retinanet_r50_fpn", theirs, device)


def fcos(device: torch.device) -> Pair:
    torch.manual_seed(0)
    theirs = _at_size(FCOS(_backbone(dense=True), num_classes=CLASSES + 1))
    _spread(theirs, {"head.classification_head.cls_logits": 1.0, "head.regression_head.bbox_reg": 1.0}, device)
    _without_background(theirs.head.classification_head.cls_logits, lower=0.0)
    with torch.no_grad():
        theirs.head.regression_head.bbox_reg.bias.fill_(2.0)  # no box without area
    return _dense("fcos_r50_fpn", theirs, device)


def _dense(name: str, theirs: nn.Module, device: torch.device) -> Pair:
    ours = detectors.build(name, num_classes=CLASSES)
    assert isinstance(ours, Dense)
    load_torchvision_state(ours, theirs.state_dict())
    return Pair(name, ours.to(device), theirs, "torchvision")


@torch.no_grad()
def _without_background(logits: nn.Conv2d, lower: float) -> None:
    """Torchvision's dense heads have a channel 0 that no label uses."""
    bias = logits.get_parameter("bias")
    bias.sub_(lower)
    bias.view(-1, CLASSES + 1)[:, 0] = -20.0


def images(device: torch.device, count: int) -> list[Tensor]:
    """Smooth noise; on a CPU smaller than what the papers use, so that a pass takes about a second."""
    height, width = (800, 1344) if device.type == "cuda" else (256, 384)
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 3, height // 16, width // 16, generator=generator)
    return list(nn.functional.interpolate(coarse, size=(height, width), mode="bilinear").to(device))


def targets(device: torch.device, count: int, size: torch.Size) -> list[dict[str, Tensor]]:
    """Eight objects an image, as many as COCO has on average."""
    generator = torch.Generator().manual_seed(2)
    extent = torch.tensor([size[-1], size[-2]], dtype=torch.float32)
    made = []
    for _ in range(count):
        corner = torch.rand(8, 2, generator=generator) * extent * 0.6
        sides = (0.05 + 0.3 * torch.rand(8, 2, generator=generator)) * extent
        labels = torch.randint(0, CLASSES, (8,), generator=generator)
        made.append({"boxes": torch.cat([corner, corner + sides], 1).to(device), "labels": labels.to(device)})
    return made


def _backbone(dense: bool = False) -> nn.Module:
    extra = {"returned_layers": [2, 3, 4], "extra_blocks": LastLevelP6P7(256, 256)} if dense else {}
    made: nn.Module = resnet_fpn_backbone(
        backbone_name="resnet50",
        weights=None,
        norm_layer=FrozenBatchNorm2d,
        trainable_layers=TRAINED_STAGES,
        **extra,
    )
    # The residual branches of an untrained, unnormalised network would grow without bound.
    for name, norm in made.named_modules():
        if name.endswith("bn3"):
            norm.weight.fill_(0.2)
    return made


@torch.no_grad()
def _spread(model: nn.Module, wanted: dict[str, float], device: torch.device) -> None:
    """Scales the weights of layers so that their outputs have these standard deviations."""
    model.to(device).eval()
    seen: dict[str, float] = {}

    def watch(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
            seen.setdefault(name, float(output.std()))

        return note

    hooks = [model.get_submodule(name).register_forward_hook(watch(name)) for name in wanted]
    model(images(device, 1))
    for hook in hooks:
        hook.remove()
    for name, std in wanted.items():
        model.get_submodule(name).get_parameter("weight").mul_(std / max(seen[name], 1e-12))


def _at_size(model: Any) -> Any:
    """Without the resizing that is part of torchvision's models."""
    model.transform.resize = lambda image, target=None: (image, target)
    return model
