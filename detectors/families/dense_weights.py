"""Weights of torchvision's one-stage detectors under the names that they have here."""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

State = Mapping[str, Tensor]

_FPN = (
    (r"backbone\.body\.(.+)", r"backbone.\1"),
    (r"backbone\.fpn\.inner_blocks\.(\d)\.0\.(.+)", r"neck.inner.\1.\2"),
    (r"backbone\.fpn\.layer_blocks\.(\d)\.0\.(.+)", r"neck.outer.\1.\2"),
    (r"backbone\.fpn\.extra_blocks\.p6\.(.+)", r"neck.coarse.0.\1"),
    (r"backbone\.fpn\.extra_blocks\.p7\.(.+)", r"neck.coarse.1.\1"),
)
_RETINANET = (
    *_FPN,
    (r"head\.classification_head\.conv\.(\d)\.0\.(.+)", lambda m: f"head.cls_tower.{2 * int(m[1])}.{m[2]}"),
    (r"head\.regression_head\.conv\.(\d)\.0\.(.+)", lambda m: f"head.loc_tower.{2 * int(m[1])}.{m[2]}"),
    (r"head\.classification_head\.cls_logits\.(.+)", r"head.cls.\1"),
    (r"head\.regression_head\.bbox_reg\.(.+)", r"head.loc.\1"),
)


def retinanet_from_torchvision(state: State, classes: Sequence[int], anchors: int = 9) -> dict[str, Tensor]:
    """The state of `retinanet_resnet50_fpn`; `classes` names the torchvision label of each of our classes, in order."""
    return _pick_classes(_rename(state, _RETINANET), classes, anchors)


def _rename(state: State, rules: Sequence[tuple[str, object]]) -> dict[str, Tensor]:
    renamed = {}
    for name, values in state.items():
        matches = [(re.fullmatch(pattern, name), to) for pattern, to in rules]
        found = [to(match) if callable(to) else match.expand(str(to)) for match, to in matches if match]
        if not found:
            raise ValueError(
                f"state: {name!r} is no weight of this torchvision detector; give the state of the whole model"
            )
        renamed[found[0]] = values
    return renamed


def _pick_classes(state: dict[str, Tensor], classes: Sequence[int], anchors: int) -> dict[str, Tensor]:
    """Keeps the channels of the classes that are asked for; torchvision's channel 0 is an unused background."""
    for name in ("head.cls.weight", "head.cls.bias"):
        values = state[name]
        picked = torch.as_tensor(list(classes), device=values.device)
        state[name] = values.view(anchors, -1, *values.shape[1:])[:, picked].flatten(0, 1)
    return state
