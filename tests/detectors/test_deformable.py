"""Deformable convolutions, and stages of a backbone with them: regular at first, with the weights of a regular one."""

import pytest
import torch
from torch.nn import functional
from torchvision.models import resnet18

import detectors
from detectors import zoo
from detectors.deformable import DeformableConv
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


def test_with_modulation_it_starts_at_half_the_strength_and_its_factors_learn() -> None:
    torch.manual_seed(0)
    conv = DeformableConv(4, 6, stride=2, modulated=True)
    features = torch.randn(2, 4, 9, 8)
    regular = functional.conv2d(features, conv.weight, stride=2, padding=1)
    torch.testing.assert_close(conv(features), regular / 2 + conv.bias[:, None, None], rtol=1e-4, atol=1e-5)
    conv(features).square().sum().backward()
    gradient = conv.offset.weight.grad
    assert gradient.shape == (27, 4, 3, 3)
    assert gradient[:18].any()
    assert gradient[18:].any()


def test_each_factor_belongs_to_its_tap() -> None:
    """A tap's factor at nearly one and all others at nearly zero leave what this tap alone says."""
    torch.manual_seed(0)
    conv = DeformableConv(3, 2, bias=False, modulated=True)
    features = torch.randn(1, 3, 5, 6)
    for tap in range(9):
        with torch.no_grad():
            conv.offset.bias[18:] = torch.where(torch.arange(9) == tap, 30.0, -30.0)
        alone = torch.zeros_like(conv.weight)
        alone[:, :, tap // 3, tap % 3] = conv.weight.detach()[:, :, tap // 3, tap % 3]
        torch.testing.assert_close(conv(features), functional.conv2d(features, alone, padding=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("variant", "blocks"),
    [("paa_r101_dcn_fpn", 4 + 23 + 3), ("paa_x101_64x4d_dcn_fpn", 23 + 3), ("paa_x152_32x8d_dcn_fpn", 8 + 36 + 3)],
)
def test_papers_rows_with_deformable_convolutions_are_modulated(variant: str, blocks: int) -> None:
    """Of C3 to C5 as the authors' configs have it, of ResNeXt-101 only C4 and C5; and the last layer of two towers."""
    with torch.device("meta"):
        model = detectors.build(zoo.config(variant), 3)
    widths = [len(p) for name, p in model.named_parameters() if name.endswith("offset.weight")]
    assert widths == [27] * (blocks + 2)


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
