"""Weights that others publish: which fit a detector, and how they come here.

They are kept where torch.hub and timm keep them. A download goes into a file of its own that is renamed when it is
whole and its hash is right, so that all workers of a machine may ask at once.
"""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import cache
from http.client import HTTPException
from math import isclose
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import torch
from torch import Tensor

import detectors
from bench.errors import UserError
from bench.train.checkpoint import UNREADABLE
from detectors import zoo
from detectors.families import DetectorConfig
from detectors.parts.backbone import BackboneConfig

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

SETTING = "train.weights"
TIMM = "timm/"
COCO = {
    "faster_rcnn_r50_fpn": "FasterRCNN_ResNet50_FPN_Weights.COCO_V1",
    "retinanet_r50_fpn": "RetinaNet_ResNet50_FPN_Weights.COCO_V1",
    "fcos_r50_fpn": "FCOS_ResNet50_FPN_Weights.COCO_V1",
    "ssd300_vgg16": "SSD300_VGG16_Weights.COCO_V1",
}
"""Torchvision's weights for the networks of these variants."""
WITHOUT_EPS = (COCO["faster_rcnn_r50_fpn"], COCO["retinanet_r50_fpn"])
"""Torchvision sets the eps of the normalisation layers to 0 for these."""

TO_SAME_PIXELS = "set detector.mean and detector.std to those"

Colours = tuple[float, ...]


def imagenet_weights(detector: DetectorConfig) -> str:
    """The name of the published ImageNet weights for its backbone and for the way that it normalises pixels."""
    names = _imagenet_names(detector)
    if not names:
        what = f"{_title(detector)} has no ImageNet weights that are published"
        raise UserError(what, where=SETTING, remedy="use train.weights: none, or a file of weights")
    faults = [other_pixels(detector, name, *normalisation(name)) for name in names]
    if all(faults):
        raise UserError(faults[0], where=SETTING, remedy=TO_SAME_PIXELS)
    return names[faults.index("")]


def doubt_about_pixels(detector: DetectorConfig) -> str:
    """Of weights that do not say how their pixels were normalised: what those published for the backbone want."""
    faults = [other_pixels(detector, name, *normalisation(name)) for name in _imagenet_names(detector)]
    return f"{faults[0]}: {TO_SAME_PIXELS} if yours are too" if faults and all(faults) else ""


def coco_weights(detector: DetectorConfig) -> str:
    """The name of torchvision's COCO weights for its network."""
    found = [variant for variant in COCO if _has_network_of(detector, variant)]
    if not found:
        raise UserError(
            "torchvision has no COCO weights for this detector",
            where=SETTING,
            remedy=f"use imagenet, a file, or a detector with the network of {', '.join(COCO)}",
        )
    variant = zoo.config(found[0])
    fault = other_pixels(detector, COCO[found[0]], variant.mean, variant.std)
    if fault:
        raise UserError(fault, where=SETTING, remedy=TO_SAME_PIXELS)
    return COCO[found[0]]


def file_of(name: str) -> str:
    """What identifies published weights: torchvision's file name, which holds its hash, or timm's name with its tag."""
    return name if name.startswith(TIMM) else Path(_of_torchvision(name).url).name


def categories(name: str) -> list[str]:
    """The names of the labels of torchvision's weights; the first is background in those of detectors."""
    return list(_of_torchvision(name).meta["categories"])


def normalisation(name: str) -> tuple[Colours, Colours]:
    """Mean and standard deviation of the pixels that a classifier of this name was trained on."""
    if name.startswith(TIMM):
        pixels = _timm().get_pretrained_cfg(name.removeprefix(TIMM))
    else:
        pixels = _of_torchvision(name).transforms()
    return tuple(pixels.mean), tuple(pixels.std)


def other_pixels(detector: DetectorConfig, name: str, mean: Sequence[float], std: Sequence[float]) -> str:
    """What to say where a detector normalises pixels in another way than weights want; else nothing."""
    ours, theirs = (*detector.mean, *detector.std), (*mean, *std)
    if all(isclose(a, b, rel_tol=1e-3) for a, b in zip(ours, theirs, strict=True)):
        return ""
    wanted, given = (", ".join(f"{value:.6g}" for value in values) for values in (theirs, ours))
    return f"{name} is for pixels of mean and std ({wanted}), those of the detector are ({given})"


def fetch(name: str) -> dict[str, Tensor]:
    """The state dict of published weights, from the local cache or else from the network."""
    return from_timm(name.removeprefix(TIMM)) if name.startswith(TIMM) else from_torchvision(_of_torchvision(name))


def _of_torchvision(name: str) -> "WeightsEnum":
    from torchvision.models import get_weight

    return get_weight(name)


def from_torchvision(weights: "WeightsEnum") -> dict[str, Tensor]:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / Path(weights.url).name
    try:
        with redirect_stdout(sys.stderr):
            state: dict[str, Tensor] = weights.get_state_dict(
                progress=sys.stderr.isatty(), check_hash=True, map_location="cpu", weights_only=True
            )
    except (*UNREADABLE, HTTPException) as error:
        if file.is_file():
            raise UserError("cannot be read as weights", where=str(file), remedy="delete it: it is damaged") from error
        raise UserError(
            f"{file.name} cannot be fetched: {_reason(error)}",
            where=SETTING,
            remedy=f"put the file {weights.url} into {folder} or set train.weights to a file",
        ) from error
    return state


def from_timm(name: str) -> dict[str, Tensor]:
    timm = _timm()
    try:
        state: dict[str, Tensor] = timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # a hub of any kind is behind it, and each has errors of its own
        raise UserError(
            f"timm's weights {name} cannot be fetched: {_reason(error)}",
            where=SETTING,
            remedy="fetch them into the cache of timm on a machine with a network, or set train.weights to a file",
        ) from error
    return state


def _timm() -> ModuleType:
    try:
        import timm
    except ImportError as error:
        what, remedy = "these weights are timm's, which is not installed", "pip install 'locbench[timm]'"
        raise UserError(what, where=SETTING, remedy=remedy) from error
    package: ModuleType = timm
    return package


@cache
def _has_network_of(detector: DetectorConfig, variant: str) -> bool:
    """Whether it has all parameters of a variant in its shapes, and no others but those that rate boxes."""
    other = zoo.config(variant)
    kinds = [(type(config), type(_backbone(config))) for config in (detector, other)]
    if kinds[0] != kinds[1]:
        return False
    with torch.device("meta"):
        ours, theirs = ({n: p.shape for n, p in detectors.build(c, 2).named_parameters()} for c in (detector, other))
    rest = [name for name in ours if name not in theirs]
    return all(ours.get(name) == shape for name, shape in theirs.items()) and all("quality" in name for name in rest)


def _imagenet_names(detector: DetectorConfig) -> tuple[str, ...]:
    backbone = _backbone(detector)
    try:
        return backbone.imagenet() if backbone else ()
    except ValueError as error:
        raise UserError(str(error), where="detector") from error


def _backbone(detector: DetectorConfig) -> BackboneConfig | None:
    found = getattr(detector, "backbone", None)
    return found if isinstance(found, BackboneConfig) else None


def _title(detector: DetectorConfig) -> str:
    """What people call its backbone: the layout, or timm's name, or the kind."""
    names = (getattr(_backbone(detector), field, None) for field in ("layout", "name", "kind"))
    return str(next((name for name in names if name), "a detector without a backbone"))


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return (str(reason).splitlines() or [type(error).__name__])[0]
