"""RoIAlign over a pyramid equals torchvision's kernel level by level, in values and gradients."""

import pytest
import torch
from torch import Tensor
from torchvision.ops import roi_align

from detectors.ops.pyramid_roi_align import _from_canvas, pyramid_roi_align

STRIDES = (4, 8, 16)
SIZE = (96, 144)


def pyramid() -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, 5, SIZE[0] // s, SIZE[1] // s, dtype=torch.float32, requires_grad=True) for s in STRIDES]


def rois(count: int = 120) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    ends = torch.rand(count, 2, 2) * torch.tensor([SIZE[1], SIZE[0]])
    boxes = torch.cat([ends.amin(1), ends.amax(1)], 1)
    boxes[:, :2] = torch.minimum(boxes[:, :2], torch.tensor([SIZE[1], SIZE[0]]) - STRIDES[-1])
    boxes[:4] = torch.tensor([[0, 0, 144, 96], [0, 0, 20, 20], [100, 60, 144, 96], [7, 7, 8, 8]])
    return boxes, torch.randint(0, 2, (count,)), torch.randint(0, 3, (count,))


def reference(levels: list[Tensor], samples: int, aligned: bool) -> Tensor:
    boxes, image, level = rois()
    out = torch.zeros(len(boxes), 5, 7, 7)
    for index, stride in enumerate(STRIDES):
        here = level == index
        mine = torch.cat([image[here, None].float(), boxes[here]], 1)
        out[here] = roi_align(levels[index], mine, 7, 1 / stride, samples, aligned)
    return out


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("samples", [0, 1, 2, 3])
@pytest.mark.parametrize("prepare", ["by device", "canvas"])
def test_equals_torchvision(samples: int, aligned: bool, prepare: str) -> None:
    ours, theirs = pyramid(), pyramid()
    if prepare == "canvas":
        pool = _from_canvas(ours, STRIDES, 7, samples, aligned)
    else:
        pool = pyramid_roi_align(ours, STRIDES, resolution=7, samples=samples, aligned=aligned)
    found, expected = pool(*rois()), reference(theirs, samples, aligned)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    weight = torch.randn_like(expected)
    (found * weight).sum().backward()
    (expected * weight).sum().backward()
    for mine, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, their.grad, atol=2e-3, rtol=1e-3)


def test_one_level_and_no_boxes() -> None:
    level = torch.randn(1, 5, 8, 8)
    pool = pyramid_roi_align([level], (4,), resolution=7, samples=2, aligned=True)
    nothing = torch.zeros(0, dtype=torch.int64)
    assert pool(torch.zeros(0, 4), nothing, nothing).shape == (0, 5, 7, 7)


def test_a_box_without_area_is_finite() -> None:
    level = torch.randn(1, 5, 8, 8)
    pool = pyramid_roi_align([level], (4,), resolution=7, samples=2, aligned=True)
    zero = torch.zeros(1, dtype=torch.int64)
    point = pool(torch.tensor([[10.0, 10, 10, 10]]), zero, zero)
    assert torch.allclose(point, point[:, :, :1, :1].expand_as(point), atol=1e-5)


def test_samples_outside_of_the_map_are_zero() -> None:
    level = torch.ones(1, 1, 4, 4)
    pool = pyramid_roi_align([level], (1,), resolution=2, samples=1, aligned=False)
    zero = torch.zeros(1, dtype=torch.int64)
    assert pool(torch.tensor([[2.0, 0, 8, 4]]), zero, zero)[0, 0].tolist() == [[1, 0], [1, 0]]


def test_a_narrow_box_at_the_edge_reads_the_edge_and_no_other_level() -> None:
    levels = [torch.full((1, 1, 8, 8), 1.0), torch.full((1, 1, 4, 4), 5.0)]
    zero = torch.zeros(1, dtype=torch.int64)
    pool = _from_canvas(levels, (4, 8), 7, 2, False)
    for level in (0, 1):
        pooled = pool(torch.tensor([[31.0, 31, 32, 32]]), zero, zero + level)
        assert torch.allclose(pooled, levels[level].max().expand_as(pooled))
