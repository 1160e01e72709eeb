"""Weights for a detector, whatever they are of: itself, a detector of torchvision, a classifier. No file is read."""

from collections.abc import Collection, Mapping, Sequence

from torch import Tensor, nn

from detectors.parts.backbone import Backbone
from detectors.torchvision_weights import CLASS_LAYERS, of_torchvision, translated


def load_weights(model: nn.Module, state: Mapping[str, Tensor], classes: Sequence[int] | None = None) -> list[str]:
    """Gives a detector weights, recognised by their names; returns the names of its own that stay as they were.

    Of another detector of ours, whatever fits by name and shape; `classes` as in `load_torchvision_state`.
    """
    if of_torchvision(state):
        return load_torchvision_state(model, state, classes)
    if any(name in state for name in model.state_dict()):
        return _load_fitting(model, state)
    return load_backbone_state(model, state)


def load_torchvision_state(
    model: nn.Module, state: Mapping[str, Tensor], classes: Sequence[int] | None = None
) -> list[str]:
    """Gives a `faster_rcnn_r50_fpn`, `retinanet_r50_fpn`, `fcos_r50_fpn` or `ssd300_vgg16` torchvision's weights.

    `classes` are torchvision's labels (0 is background) of the model's classes, in order; without it 1, 2, 3, ...
    Where it is empty, the layers that tell classes apart stay as they are; so do quality parts that torchvision lacks.
    """
    ours, mine = translated(state, classes), model.state_dict()
    spared = CLASS_LAYERS if classes is not None and not classes else ()
    rest = _others(model, ours)
    lost = [name for name in rest if not (_rates(name) or name.startswith(spared))]
    lost += [name for name in ours if name not in mine or mine[name].shape != ours[name].shape]
    if lost:
        raise ValueError(f"weights: {len(lost)} do not fit the model, {lost[0]} first; build the variant of that name")
    model.load_state_dict(ours, strict=False)
    return rest


def load_backbone_state(model: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Gives a detector's backbone the weights of the classifier that it comes from."""
    backbone = model.get_submodule("backbone")
    assert isinstance(backbone, Backbone)
    missing = backbone.load_classifier_state(dict(state))
    loaded = {f"backbone.{name}" for name in backbone.state_dict() if name not in missing}
    return _others(model, loaded)


def _load_fitting(model: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    mine = model.state_dict()
    fitting = {name: value for name, value in state.items() if name in mine and value.shape == mine[name].shape}
    if not fitting:
        raise ValueError("weights: no parameter of the model has the name and the shape of one of theirs")
    model.load_state_dict(fitting, strict=False)
    return _others(model, fitting)


def _others(model: nn.Module, loaded: Collection[str]) -> list[str]:
    return [name for name in model.state_dict() if name not in loaded and not name.endswith("num_batches_tracked")]


def _rates(name: str) -> bool:
    """Whether it belongs to a part that says how well boxes fit."""
    return "quality" in name.split(".")[:2]
