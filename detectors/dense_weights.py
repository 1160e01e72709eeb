"""Weights of torchvision's one-stage detectors for ours: other names, no channel for background. No file is read."""

import re
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from detectors.families.dense import Dense

Rule = tuple[str, str | Callable[[re.Match[str]], str]]


def _ssd_block(match: re.Match[str]) -> str:
    """Torchvision's first block after conv4_3 holds conv5 and, as its last layer, the former dense layers."""
    block, rest = int(match[1]), match[2]
    if block:
        return f"backbone.extra.{block - 1}.{rest}"
    return f"backbone.fc.{rest[2:]}" if rest.startswith("7.") else f"backbone.conv5.{rest}"


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
    (r"backbone\.scale_weight", r"backbone.scale"),
    (r"backbone\.features\.(.+)", r"backbone.features.\1"),
    (r"backbone\.extra\.(\d)\.(.+)", _ssd_block),
    (r"head\.classification_head\.module_list\.(.+)", r"head.cls.\1"),
    (r"head\.regression_head\.module_list\.(.+)", r"head.loc.\1"),
)
"""Torchvision's names, also those of its older files, and ours."""

NONE = torch.empty(0, 0)


def load_torchvision_state(model: Dense, state: Mapping[str, Tensor], classes: Sequence[int] | None = None) -> None:
    """Gives a `retinanet_r50_fpn`, `fcos_r50_fpn` or `ssd300_vgg16` the weights of torchvision's model of that name.

    `classes` are torchvision's labels (0 is background) of the model's classes, in order; without it 1, 2, ...
    """
    ours = {_rename(name): value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    sigmoid = model.training_losses.cls_loss.sigmoid
    for name in [name for name in ours if name.startswith("head.cls.")]:
        ours[name] = _pick(ours[name], len(ours[name.replace(".cls.", ".loc.")]) // 4, classes, sigmoid)
    mine = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    lost = [name for name in (*mine, *ours) if mine.get(name, NONE).shape != ours.get(name, NONE).shape]
    if lost:
        raise ValueError(f"weights: {len(lost)} do not fit the model, {lost[0]} first; build the variant of that name")
    model.load_state_dict(ours, strict=False)


def _pick(values: Tensor, anchors: int, classes: Sequence[int] | None, sigmoid: bool) -> Tensor:
    """The channels of the wanted classes for each anchor, and last that of background where a softmax needs it."""
    known = len(values) // anchors
    wanted = list(range(1, known)) if classes is None else list(classes)
    if not set(wanted) <= set(range(1, known)):
        raise ValueError(f"classes: the weights have the labels 1 to {known - 1}; {wanted} asks for others")
    return values.unflatten(0, (anchors, known))[:, wanted if sigmoid else [*wanted, 0]].flatten(0, 1)


def _rename(name: str) -> str:
    for pattern, ours in NAMES:
        match = re.fullmatch(pattern, name)
        if match:
            return ours(match) if callable(ours) else match.expand(ours)
    raise ValueError(f"weights: {name!r} is no parameter of a one-stage detector of torchvision; give its state dict")
