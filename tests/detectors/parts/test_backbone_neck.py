"""Backbones and necks: shapes, what is frozen, and the same features as torchvision from the same weights."""

import copy
from collections import OrderedDict

import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool, LastLevelP6P7

from detectors.parts.backbone import BackboneConfig, resnet, timm, tiny, vgg16
from detectors.parts.backbone.frozen_norm import FrozenNorm, normed
from detectors.parts.neck import fpn, none

IMAGE = torch.rand(1, 3, 128, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "config",
    [
        resnet.Config(layout="resnet18"),
        resnet.Config(layout="resnet50", norm="sync"),
        vgg16.Config(),
        tiny.Config(),
        tiny.Config(widths=(4, 8, 8), norm="frozen"),
        timm.Config(name="resnet10t"),
    ],
)
def test_maps_have_the_widths_and_strides_that_are_promised(config: BackboneConfig) -> None:
    backbone = config.build().eval()
    levels = backbone(IMAGE)
    assert len(levels) == len(backbone.channels) == len(backbone.strides)
    for level, width, stride in zip(levels, backbone.channels, backbone.strides, strict=True):
        assert level.shape == (1, width, 128 // stride, 96 // stride)


@pytest.mark.parametrize("layout", list(resnet.LAYOUTS))
def test_layouts_are_those_of_torchvision(layout: str) -> None:
    with torch.device("meta"):
        ours = resnet.Config(layout=layout, frozen_stages=0).build()  # type: ignore[arg-type]
        if not hasattr(models, layout):
            pytest.skip("torchvision has no such network")
        theirs = getattr(models, layout)()
    shapes = {name: tensor.shape for name, tensor in theirs.state_dict().items() if not name.startswith("fc.")}
    assert {name: t.shape for name, t in ours.state_dict().items()} == {
        name: shape for name, shape in shapes.items() if not name.endswith("num_batches_tracked")
    }


def test_kept_layouts_and_annotation_agree() -> None:
    options = resnet.Config.__dataclass_fields__["layout"].type
    assert set(resnet.LAYOUTS) == set(options.__args__)  # type: ignore[union-attr]


@torch.no_grad()
def test_resnet_gives_what_torchvision_computes() -> None:
    torch.manual_seed(0)
    theirs = models.resnet18().eval()
    ours = resnet.Config(layout="resnet18").build().eval()
    ours.load_classifier_state(theirs.state_dict())
    expected = theirs.layer4(
        theirs.layer3(theirs.layer2(theirs.layer1(theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(IMAGE)))))))
    )
    torch.testing.assert_close(ours(IMAGE)[-1], expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_vgg_and_timm_take_the_weights_of_their_classifiers() -> None:
    features = models.vgg.make_layers(models.vgg.cfgs["D"])
    backbone = vgg16.Config().build().eval()
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    backbone.load_classifier_state(state | {"classifier.0.weight": torch.zeros(1)})
    assert torch.allclose(backbone(IMAGE)[-1], features(IMAGE), atol=1e-5)
    import timm as package

    donor, taker = package.create_model("resnet10t"), timm.Config(name="resnet10t").build()
    taker.load_classifier_state(donor.state_dict())
    assert torch.equal(taker.get_parameter("body.layer1.0.conv1.weight"), donor.layer1[0].conv1.weight)


@pytest.mark.parametrize(("stages", "names"), [(0, set()), (1, {"conv1"}), (2, {"conv1", "layer1"}), (5, None)])
def test_frozen_stages(stages: int, names: set[str] | None) -> None:
    backbone = resnet.Config(layout="resnet18", frozen_stages=stages, norm="train").build().train()
    frozen = {name.split(".")[0] for name, p in backbone.named_parameters() if not p.requires_grad} - {"bn1"}
    assert frozen == (names if names is not None else {"conv1", "layer1", "layer2", "layer3", "layer4"})
    before = {name: buffer.clone() for name, buffer in backbone.named_buffers()}
    backbone(IMAGE)
    moved = {name.split(".")[0] for name, buffer in backbone.named_buffers() if not torch.equal(buffer, before[name])}
    assert moved.isdisjoint(frozen | ({"bn1"} if stages else set()))


def test_frozen_normalisation_has_no_parameters_and_its_own_eps() -> None:
    backbone = resnet.Config(layout="resnet18", norm_eps=0.0).build()
    assert not any("bn" in name for name, _ in backbone.named_parameters())
    assert {module.eps for module in backbone.modules() if hasattr(module, "eps")} == {0.0}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_frozen_normalisation_is_that_of_torchvision(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    theirs, ours = FrozenBatchNorm2d(8, eps=0.1), FrozenNorm(8, eps=0.1)
    for buffer in theirs.buffers():
        buffer.uniform_(0.5, 2)
    ours.load_state_dict(theirs.state_dict() | {"num_batches_tracked": torch.tensor(3)})
    features = torch.randn(2, 8, 5, 5).to(dtype)
    assert ours(features).dtype == dtype
    tolerance = {"atol": 1e-6, "rtol": 1e-6} if dtype == torch.float32 else {"atol": 0.05, "rtol": 0.02}
    torch.testing.assert_close(ours(features).float(), theirs(features.float()), **tolerance)


def test_a_network_that_timm_does_not_know() -> None:
    with pytest.raises(ValueError, match="'resnet_50' is no network of timm"):
        timm.Config(name="resnet_50").build()


def test_too_few_widths() -> None:
    with pytest.raises(ValueError, match="at least two"):
        tiny.Config(widths=(8,))


@torch.no_grad()
@pytest.mark.parametrize("extra", ["none", "pool", "c5", "p5"])
def test_pyramid_equals_that_of_torchvision(extra: str) -> None:
    torch.manual_seed(0)
    channels, sizes = (6, 8, 12), ((18, 25), (9, 13), (5, 7))
    features = [torch.randn(2, width, *size) for width, size in zip(channels, sizes, strict=True)]
    blocks = {"none": None, "pool": LastLevelMaxPool(), "c5": LastLevelP6P7(12, 16), "p5": LastLevelP6P7(16, 16)}
    theirs = FeaturePyramidNetwork(list(channels), 16, blocks[extra])
    ours = fpn.Config(channels=16, finest=8, extra=extra).build((3, *channels), (4, 8, 16, 32))  # type: ignore[arg-type]
    pairs: list[tuple[nn.Module, nn.Module]] = [
        *((ours.inner[i], theirs.inner_blocks[i][0]) for i in range(3)),  # type: ignore[index]
        *((ours.outer[i], theirs.layer_blocks[i][0]) for i in range(3)),  # type: ignore[index]
    ]
    if extra in ("c5", "p5"):
        pairs += [(ours.coarse[0], theirs.extra_blocks.p6), (ours.coarse[1], theirs.extra_blocks.p7)]  # type: ignore[index]
    for mine, their in pairs:
        mine.load_state_dict(their.state_dict())
    named = OrderedDict((str(i), level) for i, level in enumerate(features))
    if extra in ("c5", "p5"):
        theirs.extra_blocks.use_P5 = extra == "p5"
    found, expected = ours([torch.zeros(1), *features]), list(theirs(named).values())
    assert len(found) == len(ours.strides)
    for mine, their in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, their, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("extra", "strides"),
    [
        ("none", (4, 8, 16, 32)),
        ("pool", (4, 8, 16, 32, 64)),
        ("c5", (4, 8, 16, 32, 64, 128)),
        ("p5", (4, 8, 16, 32, 64, 128)),
    ],
)
def test_strides_of_the_pyramid(extra: str, strides: tuple[int, ...]) -> None:
    assert fpn.Config(extra=extra).build((1, 1, 1, 1), (4, 8, 16, 32)).strides == strides  # type: ignore[arg-type]


def test_a_stride_that_the_backbone_lacks() -> None:
    with pytest.raises(ValueError, match=r"neck\.finest = 2"):
        fpn.Config(finest=2).build((1, 1), (4, 8))


def test_without_a_neck_the_coarse_maps_get_one_width() -> None:
    neck = none.Config(channels=5, finest=16).build((2, 3, 4), (8, 16, 32))
    assert neck.strides == (16, 32)
    found = neck([torch.rand(1, 2, 16, 16), torch.rand(1, 3, 8, 8), torch.rand(1, 4, 4, 4)])
    assert [level.shape for level in found] == [(1, 5, 8, 8), (1, 5, 4, 4)]


class OwnConvolution(nn.Conv2d):
    """Of a kind that might do anything."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return super().forward(maps) * 2


CONVOLUTIONS = {
    "1 x 1": nn.Conv2d(6, 8, 1, bias=False),
    "3 x 3": nn.Conv2d(6, 8, 3, padding=1, bias=False),
    "3 x 3 with fewer products": nn.Conv2d(128, 128, 3, padding=1, bias=False),
    "strides": nn.Conv2d(6, 8, 7, stride=2, padding=3, bias=False),
    "groups": nn.Conv2d(6, 8, 3, padding=1, groups=2, bias=False),
    "gaps": nn.Conv2d(6, 8, 3, padding=2, dilation=2, bias=False),
    "biased": nn.Conv2d(6, 8, 3, padding=1),
    "another kind": OwnConvolution(6, 8, 3, padding=1, bias=False),
}


@pytest.mark.parametrize("size", [(33, 40), (3, 2)], ids=["large maps", "more weights than places"])
@pytest.mark.parametrize("norm", [FrozenNorm, nn.BatchNorm2d])
@pytest.mark.parametrize("conv", CONVOLUTIONS.values(), ids=list(CONVOLUTIONS))
def test_a_convolution_takes_its_frozen_normalisation_along(
    conv: nn.Conv2d, norm: type[nn.Module], size: tuple[int, int]
) -> None:
    """Maps and gradients are those of one after the other; what cannot be taken along is done one after the other."""
    torch.manual_seed(0)
    channels = conv.in_channels
    after, dtype = norm(conv.out_channels), torch.float32 if channels == 128 else torch.float64
    state = {name: torch.rand_like(value) + 0.5 for name, value in after.state_dict().items() if value.ndim}
    after.load_state_dict(state, strict=False)
    conv, after = copy.deepcopy(conv).to(dtype), after.eval().to(dtype)
    maps = torch.randn(2, channels, *size, dtype=dtype, requires_grad=True)
    wanted, found = after(conv(maps)), normed(conv, after, maps)
    gradient = torch.randn_like(wanted)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 if dtype == torch.float32 else 1e-12)
    for ours, theirs in zip(
        torch.autograd.grad(found, (maps, conv.weight), gradient),
        torch.autograd.grad(wanted, (maps, conv.weight), gradient),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3 if dtype == torch.float32 else 1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_folded_convolution_stays_in_half_precision(dtype: torch.dtype) -> None:
    backbone = resnet.Config(layout="resnet18", frozen_stages=0).build().eval()
    whole = backbone(IMAGE)
    halved = backbone.to(dtype)(IMAGE.to(dtype))
    assert all(level.dtype == dtype for level in halved)
    torch.testing.assert_close(halved[0].float(), whole[0], rtol=0.05, atol=0.05)
