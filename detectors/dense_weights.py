"""Weights of torchvision's one-stage detectors for ours: other names, no channel for background. No file is read."""

import re
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from detectors.detector import Detector

Rule = tuple[str, str | Callable[[re.Match[str]], str]]


def _twice(tower: str) -> Callable[[re.Match[str]], str]:
    """Convolution i of a tower without normalisation is layer 2 i here, as each has its ReLU."""
    return lambda match: f"head.{tower}.{2 * int(match[1])}.{match[2]}"


NAMES: tuple[Rule, ...] = (
    (r"backbone\.body\.(.+)", r"backbone.\1"),
    (r"backbone\.fpn\.inner_blocks\.(\d)(?:\.0)?\.(\w+)", r"neck.inner.\1.\2"),
    (r"backbone\.fpn\.layer_blocks\.(\d)(?:\.0)?\.(\w+)", r"neck.outer.\1.\2"),
    (r"backbone\.fpn\.extra_blocks\.p6\.(\w+)", r"neck.coarse.0.\1"),
    (r"backbone\.fpn\.extra_blocks\.p7\.(\w+)", r"neck.coarse.1.\1"),
    (r"head\.classification_head\.conv\.(\d)\.0\.(\w+)", _twice("cls_tower")),
    (r"head\.regression_head\.conv\.(\d)\.0\.(\w+)", _twice("loc_tower")),
    (r"head\.classification_head\.conv\.(\d+)\.(\w+)", r"head.cls_tower.\1.\2"),
    (r"head\.regression_head\.conv\.(\d+)\.(\w+)", r"head.loc_tower.\1.\2"),
    (r"head\.classification_head\.cls_logits\.(\w+)", r"head.cls.\1"),
    (r"head\.regression_head\.bbox_reg\.(\w+)", r"head.loc.\1"),
    (r"head\.regression_head\.bbox_ctrness\.(\w+)", r"head.quality.\1"),
)
"""Torchvision's names, also those of its older files, and ours."""

NONE = torch.empty(0, 0)


def load_torchvision_state(model: Detector, state: Mapping[str, Tensor], classes: Sequence[int] | None = None) -> None:
    """Gives a `retinanet_r50_fpn` or `fcos_r50_fpn` the weights of torchvision's model of that name.

    `classes` are torchvision's labels (0 is an unused background) of the model's classes, in order; else 1, 2, ...
    """
    ours = {_rename(name): value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    anchors = len(ours["head.loc.bias"]) // 4
    known = len(ours["head.cls.bias"]) // anchors
    wanted = list(range(1, known)) if classes is None else list(classes)
    if not set(wanted) <= set(range(1, known)):
        raise ValueError(f"classes: the weights have the labels 1 to {known - 1}; {wanted} asks for others")
    for name in ("head.cls.weight", "head.cls.bias"):
        ours[name] = ours[name].unflatten(0, (anchors, known))[:, wanted].flatten(0, 1)
    mine = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    lost = [name for name in (*mine, *ours) if mine.get(name, NONE).shape != ours.get(name, NONE).shape]
    if lost:
        raise ValueError(f"weights: {len(lost)} do not fit the model, {lost[0]} first; build the variant of that name")
    model.load_state_dict(ours, strict=False)


def _rename(name: str) -> str:
    for pattern, ours in NAMES:
        match = re.fullmatch(pattern, name)
        if match:
            return ours(match) if callable(ours) else match.expand(ours)
    raise ValueError(f"weights: {name!r} is no parameter of a one-stage detector of torchvision; give its state dict")
