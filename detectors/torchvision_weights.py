"""Weights of torchvision's detectors by our names: no channel for background, or one after the classes."""

import re
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

Rule = tuple[str, str | Callable[[re.Match[str]], str]]

HEADS = ("rpn.", "roi_heads.", "head.classification_head.")
CLS, BOX, DENSE_CLS = "stage.head.cls.", "stage.head.box.", "head.cls."
CLASS_LAYERS = (CLS, BOX, DENSE_CLS)
"""Layers that have channels for each class."""


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
    (r"rpn\.head\.conv(?:\.0\.0)?\.(\w+)", r"proposals.conv.\1"),
    (r"rpn\.head\.cls_logits\.(\w+)", r"proposals.cls.\1"),
    (r"rpn\.head\.bbox_pred\.(\w+)", r"proposals.box.\1"),
    (r"roi_heads\.box_head\.fc6\.(\w+)", r"stage.head.shared.1.\1"),
    (r"roi_heads\.box_head\.fc7\.(\w+)", r"stage.head.shared.3.\1"),
    (r"roi_heads\.box_predictor\.cls_score\.(\w+)", r"stage.head.cls.\1"),
    (r"roi_heads\.box_predictor\.bbox_pred\.(\w+)", r"stage.head.box.\1"),
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


def of_torchvision(state: Mapping[str, Tensor]) -> bool:
    """Whether these are the weights of a detector of torchvision."""
    return any(name.startswith(HEADS) for name in state)


def count_labels(state: Mapping[str, Tensor]) -> int:
    """How many labels a detector of torchvision tells apart, background among them."""
    ours = {_rename(name): value for name, value in state.items()}
    if f"{CLS}bias" in ours:
        return len(ours[f"{CLS}bias"])
    name = next((name for name in ours if name.startswith(DENSE_CLS)), None)
    return len(ours[name]) // _anchors(name, ours) if name else 0


def translated(state: Mapping[str, Tensor], classes: Sequence[int] | None = None) -> dict[str, Tensor]:
    """The weights of torchvision's Faster R-CNN, RetinaNet, FCOS or SSD300 by our names.

    `classes` are torchvision's labels (0 is background) of the model's classes, in order; without it 1, 2, 3, ...
    Where there are none, the layers that tell classes apart are left out.
    """
    ours = {_rename(name): value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    if classes is not None and not classes:
        return {name: value for name, value in ours.items() if not name.startswith(CLASS_LAYERS)}
    softmax = not any(name.startswith("head.classification_head.cls_logits.") for name in state)
    return {name: _pick(name, ours, classes, softmax) for name in ours}


def _pick(name: str, ours: Mapping[str, Tensor], classes: Sequence[int] | None, softmax: bool) -> Tensor:
    """The channels of the wanted classes, and last that of background where a softmax needs it."""
    values = ours[name]
    if name.startswith(CLS):
        return values[[*_wanted(classes, len(values)), 0]]
    if name.startswith(BOX):
        by_class = values.unflatten(0, (-1, 4))
        return by_class[_wanted(classes, len(by_class))].flatten(0, 1)
    if name.startswith(DENSE_CLS):
        anchors = _anchors(name, ours)
        wanted = _wanted(classes, len(values) // anchors)
        return values.unflatten(0, (anchors, -1))[:, [*wanted, 0] if softmax else wanted].flatten(0, 1)
    return values


def _anchors(name: str, ours: Mapping[str, Tensor]) -> int:
    """For each location of a layer, from the four numbers that each has for its box."""
    boxes = name.replace(".cls.", ".loc.")
    if boxes not in ours:
        raise ValueError(f"weights: they have {name}, but no {boxes}; give a whole state dict")
    return len(ours[boxes]) // 4


def _wanted(classes: Sequence[int] | None, known: int) -> list[int]:
    """Labels that the weights have: 0 is background, and none of them."""
    wanted = list(range(1, known)) if classes is None else list(classes)
    lost = sorted(set(wanted) - set(range(1, known)))
    if lost:
        raise ValueError(f"classes: the weights have the labels 1 to {known - 1}; {lost} are not there")
    return wanted


def _rename(name: str) -> str:
    for pattern, ours in NAMES:
        match = re.fullmatch(pattern, name)
        if match:
            return ours(match) if callable(ours) else match.expand(ours)
    raise ValueError(
        f"weights: {name!r} is no parameter of torchvision's Faster R-CNN, RetinaNet, FCOS or SSD300; "
        "give the state dict of one of them"
    )
