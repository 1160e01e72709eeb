"""Backbones take the weights of the classifiers that they come from, whatever those call their layers."""

import pytest
import timm as package
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models import vgg

from detectors.parts.backbone import resnet, ssd_vgg16, timm

IMAGE = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def toeplitz(rows: int, columns: int, seed: int) -> Tensor:
    """A large matrix in little memory, whose entries say where they stand."""
    numbers = torch.randn(rows + columns - 1, generator=torch.Generator().manual_seed(seed))
    return numbers.as_strided((rows, columns), (1, 1))


@pytest.fixture(scope="module")
def vgg16() -> dict[str, Tensor]:
    torch.manual_seed(0)
    features = vgg.make_layers(vgg.cfgs["D"]).state_dict()
    dense = {
        "classifier.0.weight": toeplitz(4096, 512 * 49, 1),
        "classifier.0.bias": torch.randn(4096),
        "classifier.3.weight": toeplitz(4096, 4096, 2),
        "classifier.3.bias": torch.randn(4096),
        "classifier.6.bias": torch.zeros(1000),
    }
    return {f"features.{name}": value for name, value in features.items()} | dense


def test_dense_layers_become_convolutions_that_answer_alike(vgg16: dict[str, Tensor]) -> None:
    """Where features are zero but at the locations that the reduced layer looks at, it gives every fourth answer."""
    backbone = ssd_vgg16.Config().build()
    own = backbone.load_classifier_state(vgg16)
    assert {name.partition(".")[0] for name in own} == {"scale", "extra"}
    features = torch.zeros(512, 7, 7)
    features[:, ::3, ::3] = torch.randn(512, 3, 3, generator=torch.Generator().manual_seed(3))
    channels = [0, 1, 17, 1023]
    rows = torch.stack([vgg16["classifier.0.weight"][4 * channel] for channel in channels])
    expected = rows @ features.flatten() + vgg16["classifier.0.bias"][[4 * channel for channel in channels]]
    weight, bias = (backbone.get_parameter(f"fc.1.{name}") for name in ("weight", "bias"))
    found = functional.conv2d(features[None], weight[channels], bias[channels], dilation=3)[0, :, 0, 0]
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)
    hidden = torch.zeros(4096)
    hidden[::4] = torch.randn(1024, generator=torch.Generator().manual_seed(4))
    expected = (vgg16["classifier.3.weight"] @ hidden + vgg16["classifier.3.bias"])[::4]
    weight, bias = (backbone.get_parameter(f"fc.3.{name}") for name in ("weight", "bias"))
    found = functional.conv2d(hidden[None, ::4, None, None], weight, bias)[0, :, 0, 0]
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)


def test_dense_layers_without_numbers_are_left_out(vgg16: dict[str, Tensor]) -> None:
    """As in the weights that SSD was made from, of which torchvision has the convolutions alone."""
    backbone = ssd_vgg16.Config(input_size=512).build()
    before = backbone.get_parameter("fc.1.weight").clone()
    spoilt = vgg16 | {"classifier.3.bias": torch.full((4096,), torch.nan)}
    own = backbone.load_classifier_state(spoilt)
    assert {name.partition(".")[0] for name in own} == {"scale", "extra", "fc"}
    assert torch.equal(backbone.get_parameter("fc.1.weight"), before)
    assert torch.equal(backbone.get_parameter("features.0.weight"), vgg16["features.0.weight"])
    assert torch.equal(backbone.get_parameter("conv5.5.bias"), vgg16["features.28.bias"])


def test_weights_of_another_network_are_refused(vgg16: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match=r"26 of 26 are missing .*features\.0\.weight first"):
        ssd_vgg16.Config().build().load_classifier_state({"features.norm.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"conv1\.weight first; give those of the same architecture"):
        resnet.Config(layout="resnet18").build().load_classifier_state(vgg16)


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet10t", "tf_efficientnet_lite0", "convnext_atto"])
def test_features_of_timm_are_those_of_its_whole_network(name: str) -> None:
    torch.manual_seed(0)
    whole = package.create_model(name).eval()
    backbone = timm.Config(name=name).build().eval()
    assert backbone.load_classifier_state(whole.state_dict()) == []
    expected = whole.forward_intermediates(IMAGE, indices=4, intermediates_only=True)
    for ours, theirs in zip(backbone(IMAGE), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_names_of_published_weights() -> None:
    assert timm.Config(name="resnet10t").imagenet() == ("timm/resnet10t.c3_in1k",)
    assert timm.Config(name="resnet50.a1_in1k").imagenet() == ("timm/resnet50.a1_in1k",)
    assert resnet.Config(layout="resnext101_32x4d").imagenet() == ("timm/resnext101_32x4d.gluon_in1k",)
    assert resnet.Config(layout="resnext152_32x8d").imagenet() == ()
