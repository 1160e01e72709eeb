"""Heads of dense detectors: order of their answers, what they share, how they start."""

from typing import Any

import pytest
import torch

from detectors.parts.dense_head import DenseShape, flatten, ssd, towers
from detectors.parts.loss import cross_entropy, focal, giou, iou_balanced_cls

SHAPE = DenseShape(channels=(16, 16), anchors=(3, 3), cls_channels=5, sigmoid=True, quality_on="loc")
FEATURES = [torch.rand(2, 16, 4, 6), torch.rand(2, 16, 2, 3)]


def test_maps_are_flattened_in_the_order_of_anchors() -> None:
    level = torch.arange(2 * 6 * 2 * 3, dtype=torch.float32).view(2, 6, 2, 3)
    flat = flatten([level, level], channels=2)
    assert flat.shape == (2, 2 * 18, 2)
    for row, column, anchor, channel in [(0, 0, 0, 0), (1, 2, 1, 1), (0, 1, 2, 0)]:
        place = (row * 3 + column) * 3 + anchor
        assert flat[1, place, channel] == level[1, anchor * 2 + channel, row, column]
        assert flat[1, 18 + place, channel] == level[1, anchor * 2 + channel, row, column]


@pytest.mark.parametrize(
    "config", [towers.Config(convs=2), towers.Config(convs=1, norm="group", groups=4, scaled=True)]
)
def test_class_scores_start_at_the_prior(config: towers.Config) -> None:
    output = config.build(SHAPE)(FEATURES)
    assert output.cls.shape == (2, 3 * (24 + 6), 5)
    assert output.loc.shape == (2, 90, 4)
    assert output.quality is not None
    assert output.quality.shape == (2, 90)
    assert float(output.cls.detach().sigmoid().mean()) == pytest.approx(0.01, rel=0.2)


def test_levels_share_their_weights_but_not_their_scales() -> None:
    head = towers.Config(convs=1, scaled=True).build(SHAPE)
    torch.nn.init.constant_(head.get_parameter("scales"), 2.0)
    head.get_parameter("scales").data[1] = 3.0
    same = [FEATURES[1], FEATURES[1]]
    first, second = head(same).loc.split(18, dim=1)
    torch.testing.assert_close(first / 2, second / 3)
    first, second = head(same).cls.split(18, dim=1)
    torch.testing.assert_close(first, second)


def test_the_quality_branch_learns_on_the_tower_that_is_named() -> None:
    for tower, other in (("cls", "loc"), ("loc", "cls")):
        shape = DenseShape(channels=(16,), anchors=(1,), cls_channels=5, sigmoid=True, quality_on=tower)
        head = towers.Config(convs=1).build(shape)
        quality = head(FEATURES[:1]).quality
        assert quality is not None
        quality.sum().backward()
        assert head.get_parameter(f"{tower}_tower.0.weight").grad is not None
        assert head.get_parameter(f"{other}_tower.0.weight").grad is None


def test_positive_codes_are() -> None:
    assert (towers.Config(positive_codes=True).build(SHAPE)(FEATURES).loc >= 0).all()


def test_a_deformable_convolution_starts_as_a_regular_one_and_learns_its_offsets() -> None:
    head = towers.Config(convs=2, deformable_last=True).build(SHAPE)
    deformable = head.get_submodule("cls_tower.2")
    offset, conv = deformable.get_submodule("offset"), deformable
    regular = torch.nn.functional.conv2d(
        FEATURES[0], conv.get_parameter("weight"), conv.get_parameter("bias"), padding=1
    )
    torch.testing.assert_close(deformable(FEATURES[0]), regular, rtol=1e-4, atol=1e-5)
    head(FEATURES).cls.square().sum().backward()
    gradient = offset.get_parameter("weight").grad
    assert gradient is not None
    assert gradient.any()


def test_each_level_of_ssd_has_weights_and_anchors_of_its_own() -> None:
    shape = DenseShape(channels=(16, 8), anchors=(2, 3), cls_channels=5, sigmoid=False)
    output = ssd.Config().build(shape)([torch.rand(2, 16, 4, 6), torch.rand(2, 8, 2, 3)])
    assert output.cls.shape == (2, 2 * 24 + 3 * 6, 5)
    assert output.loc.shape == (2, 66, 4)
    assert output.quality is None


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (towers.Config(norm="group", groups=5), {}, r"head.groups = 5 does not divide the neck's 16 channels"),
    (towers.Config(), {"channels": (16, 8)}, "shared by all levels"),
    (towers.Config(), {"anchors": (2, 3)}, "shared by all levels"),
    (ssd.Config(), {}, "head.kind = 'ssd' has no towers"),
]


@pytest.mark.parametrize(("config", "fields", "words"), WRONG)
def test_heads_that_do_not_fit_are_refused(config: Any, fields: dict[str, Any], words: str) -> None:
    shape: dict[str, Any] = {
        "channels": (16, 16),
        "anchors": (3, 3),
        "cls_channels": 5,
        "sigmoid": True,
        "quality_on": "loc",
    }
    with pytest.raises(ValueError, match=words):
        config.build(DenseShape(**(shape | fields)))


def test_losses_know_their_logits() -> None:
    assert focal.Config().build().channels(4) == 4
    assert cross_entropy.Config().build().channels(4) == 5
    balanced = iou_balanced_cls.Config(base=cross_entropy.Config()).build()
    assert balanced.channels(4) == 5
    assert not balanced.sigmoid
    assert giou.Config().build().on == "boxes"
