"""Deformable stages of a backbone: a regular network at first, with the weights of one."""

import pytest
import torch
from torchvision.models import resnet18

from detectors.parts.backbone.resnet import Config


def test_a_deformable_backbone_takes_regular_weights_and_starts_like_it() -> None:
    torch.manual_seed(0)
    state = resnet18(weights=None).state_dict()
    images = torch.rand(1, 3, 64, 64)
    regular, deformable = (Config(layout="resnet18", deformable=stages).build().eval() for stages in ((), (3, 5)))
    for backbone in (regular, deformable):
        backbone.load_classifier_state(state)
    for ours, theirs in zip(deformable(images), regular(images), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_only_the_named_stages_deform_and_their_offsets_learn() -> None:
    backbone = Config(layout="resnet18", deformable=(4,)).build()
    names = {name.split(".")[0] for name, _ in backbone.named_parameters() if ".offset." in name}
    assert names == {"layer3"}
    backbone(torch.rand(1, 3, 64, 64))[-1].square().sum().backward()
    gradient = backbone.get_parameter("layer3.0.conv2.offset.weight").grad
    assert gradient is not None
    assert gradient.any()


def test_groups_of_a_resnext_stay() -> None:
    backbone = Config(layout="resnext50_32x4d", deformable=(5,)).build()
    assert backbone.get_parameter("layer4.0.conv2.weight").shape == (1024, 32, 3, 3)


def test_weights_that_are_missing_are_still_named() -> None:
    with pytest.raises(ValueError, match=r"weights: .* are missing"):
        Config(layout="resnet18", deformable=(5,)).build().load_classifier_state({})
