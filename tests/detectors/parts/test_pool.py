"""Pooled features: the level of a box, and both kinds on a pyramid."""

import pytest
import torch
from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign

from detectors.ops.prroi_pool import prroi_pool
from detectors.parts.pool import PoolConfig, prroi, roi_align

STRIDES = (4, 8, 16, 32)
SIZE = (256, 320)


def pyramid() -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, 6, SIZE[0] // stride, SIZE[1] // stride) for stride in (*STRIDES, 64)]


def boxes(count: int = 200) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    ends = torch.rand(count, 2, 2) * torch.tensor([SIZE[1], SIZE[0]])
    ends = torch.cat([ends.amin(1).clamp(max=250.0), ends.amax(1)], 1)
    return ends, torch.randint(0, 2, (count,)).sort().values


def test_equals_multi_scale_roi_align() -> None:
    features, (found, image) = pyramid(), boxes()
    per_image = [found[image == index] for index in range(2)]
    theirs = MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)
    expected = theirs({str(i): level for i, level in enumerate(features)}, per_image, [SIZE, SIZE])
    ours = roi_align.Config().build((*STRIDES, 64)).on(features)(found, image)
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("side", "level"), [(0.0, 0), (111.9, 0), (112.0, 1), (223.9, 1), (224.0, 2), (448.0, 3), (5000.0, 3)]
)
def test_level_of_a_box(side: float, level: int) -> None:
    pool = roi_align.Config().build(STRIDES)
    assert pool.level(torch.tensor([[3.0, 4.0, 3 + side, 4 + side]])).tolist() == [level]


def test_level_of_a_pyramid_that_begins_elsewhere() -> None:
    pool = roi_align.Config(canonical_size=64.0, levels=2).build((8, 16, 32))
    assert pool.strides == (8, 16)
    assert pool.level(torch.tensor([[0.0, 0, 31, 31], [0, 0, 33, 33], [0, 0, 64, 64], [0, 0, 300, 300]])).tolist() == [
        0,
        0,
        1,
        1,
    ]


def test_precise_pooling_takes_each_box_from_its_level() -> None:
    features, (found, image) = pyramid(), boxes()
    pool = prroi.Config(resolution=5).build(STRIDES)
    pooled, level = pool.on(features)(found, image), pool.level(found)
    assert len(level.unique()) > 1
    for index in range(0, 200, 20):
        at = int(level[index])
        roi = torch.cat([image[index, None].float(), found[index]])[None]
        assert torch.allclose(pooled[index], prroi_pool(features[at], roi, 5, 1 / STRIDES[at])[0], atol=1e-5)


def test_precise_pooling_has_gradients_for_boxes() -> None:
    found, image = boxes(20)
    found.requires_grad_()
    prroi.Config().build(STRIDES).on(pyramid())(found, image).square().sum().backward()
    assert found.grad is not None
    assert (found.grad.abs().sum(1) > 0).all()


@pytest.mark.parametrize("config", [roi_align.Config(), prroi.Config()])
def test_no_boxes(config: PoolConfig) -> None:
    pool = config.build(STRIDES).on(pyramid())
    assert pool(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)).shape == (0, 6, 7, 7)
