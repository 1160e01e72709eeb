"""Weights of torchvision's detectors for ours: other names, background first instead of last. No file is read."""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from detectors.parts.backbone import Backbone

NAMES = (
    (r"backbone\.body\.(.+)", r"backbone.\1"),
    (r"backbone\.fpn\.inner_blocks\.(\d)(?:\.0)?\.(\w+)", r"neck.inner.\1.\2"),
    (r"backbone\.fpn\.layer_blocks\.(\d)(?:\.0)?\.(\w+)", r"neck.outer.\1.\2"),
    (r"rpn\.head\.conv(?:\.0\.0)?\.(\w+)", r"proposals.conv.\1"),
    (r"rpn\.head\.cls_logits\.(\w+)", r"proposals.cls.\1"),
    (r"rpn\.head\.bbox_pred\.(\w+)", r"proposals.box.\1"),
    (r"roi_heads\.box_head\.fc6\.(\w+)", r"stage.head.shared.1.\1"),
    (r"roi_heads\.box_head\.fc7\.(\w+)", r"stage.head.shared.3.\1"),
    (r"roi_heads\.box_predictor\.cls_score\.(\w+)", r"stage.head.cls.\1"),
    (r"roi_heads\.box_predictor\.bbox_pred\.(\w+)", r"stage.head.box.\1"),
)
"""Torchvision's names, also those of its older files, and ours."""


def load_torchvision_state(model: nn.Module, state: Mapping[str, Tensor], classes: Sequence[int] | None = None) -> None:
    """Gives a `faster_rcnn_r50_fpn` the weights of torchvision's `fasterrcnn_resnet50_fpn`.

    `classes` are torchvision's labels (background is 0) of the model's classes, in order; without it 1, 2, 3, ...
    """
    ours = {_rename(name): value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    known = list(range(1, len(ours["stage.head.cls.bias"])))
    wanted = known if classes is None else list(classes)
    if not set(wanted) <= set(known):
        raise ValueError(
            f"classes: the weights have the labels 1 to {len(known)}; {sorted(set(wanted) - set(known))} are not there"
        )
    for parameter in ("weight", "bias"):
        name = f"stage.head.cls.{parameter}"
        ours[name] = ours[name][[*wanted, 0]]
        name = f"stage.head.box.{parameter}"
        ours[name] = ours[name].unflatten(0, (-1, 4))[wanted].flatten(0, 1)
    missing, unexpected = model.load_state_dict(ours, strict=False)
    lost = [name for name in missing if not name.endswith("num_batches_tracked")] + list(unexpected)
    if lost:
        raise ValueError(f"weights: {len(lost)} do not fit the model, {lost[0]} first; build faster_rcnn_r50_fpn")


def load_backbone_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Gives a detector's backbone the weights of the classifier that it comes from."""
    backbone = model.get_submodule("backbone")
    assert isinstance(backbone, Backbone)
    backbone.load_classifier_state(dict(state))


def _rename(name: str) -> str:
    for pattern, ours in NAMES:
        renamed, count = re.subn(f"^{pattern}$", ours, name)
        if count:
            return renamed
    raise ValueError(f"weights: {name!r} is no parameter of torchvision's fasterrcnn_resnet50_fpn; give its state dict")
