"""PrRoI pooling: published identities, borders, gradients to features and boxes, odd input."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.testing import assert_close

from detectors.ops import prroi_pool

FEATURES = torch.randn(2, 2, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
SMOOTH = [[0.3, 0.7, 4.2, 5.1], [-2.3, -1.4, 3.2, 9.6], [1.2, 1.3, 1.4, 1.5], [6.2, 5.1, 7.4, 6.9]]
INTEGER = [[1.0, 2.0, 4.0, 5.0], [0.0, 0.0, 6.0, 5.0], [-1.0, -1.0, 7.0, 6.0], [0.0, 0.0, 1.0, 1.0]]


def rois(boxes: list[list[float]], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.tensor([[i % 2, *box] for i, box in enumerate(boxes)], dtype=dtype)


def test_equals_average_pooling_where_bins_are_two_samples_wide() -> None:
    """The unit test of the authors' implementation."""
    pooled = prroi_pool(FEATURES.repeat(1, 1, 2, 2), rois([[0, 0, 14, 14]]), 7, 0.5)
    expected = torch.nn.functional.avg_pool2d(FEATURES.repeat(1, 1, 2, 2)[:1, :, :8, :8], 2, 1)
    assert_close(pooled, expected)


def test_the_border_darkens() -> None:
    pooled = prroi_pool(
        torch.ones(1, 1, 5, 9), torch.tensor([[0.0, -2, 1, 2, 3], [0, 7, 1, 9, 3], [0, 20, 1, 30, 3]]), 1
    )
    assert_close(pooled.flatten(), torch.tensor([0.625, 0.75, 0.0]))


@pytest.mark.parametrize("boxes", [SMOOTH, INTEGER], ids=["between samples", "on samples"])
def test_gradients_to_features_and_boxes(boxes: list[list[float]]) -> None:
    of_image = rois(boxes)

    def pool(features: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
        return prroi_pool(features, torch.cat([of_image[:, :1], corners], 1), (3, 2), 1.0)

    assert gradcheck(pool, (FEATURES.clone().requires_grad_(), of_image[:, 1:].clone().requires_grad_()))


def test_the_gradient_is_continuous_where_a_box_passes_a_sample() -> None:
    slopes = []
    for x1 in (1 - 1e-9, 1.0, 1 + 1e-9):
        roi = torch.tensor([[0, x1, 1.3, 4.2, 5.1]], dtype=torch.float64, requires_grad=True)
        prroi_pool(FEATURES, roi, 3).sum().backward()
        slopes.append(roi.grad[0])
    assert_close(slopes[0], slopes[1], atol=1e-7, rtol=1e-7)
    assert_close(slopes[2], slopes[1], atol=1e-7, rtol=1e-7)
    assert slopes[1][0] == 0


@pytest.mark.parametrize("box", [[2.0, 2, 2, 4], [4, 4, 2, 2], [1, 3, 5, 3], [5, 1, 2, 4]])
def test_a_box_without_area_gives_nothing_and_pulls_nowhere(box: list[float]) -> None:
    features, roi = FEATURES.clone().requires_grad_(), rois([box]).requires_grad_()
    pooled = prroi_pool(features, roi, 3)
    pooled.sum().backward()
    assert not pooled.any()
    assert not features.grad.any()
    assert not roi.grad.any()


def test_boxes_of_all_sizes_come_back_in_order() -> None:
    mixed = rois([*SMOOTH, [-1e6, -1e6, 1e6, 1e6], *INTEGER, [0, 0, 1e-3, 1e-3]])
    together = prroi_pool(FEATURES, mixed, (2, 3), 0.7)
    for row, roi in zip(together, mixed, strict=True):
        assert_close(row, prroi_pool(FEATURES, roi[None], (2, 3), 0.7)[0])


def test_maps_in_any_layout_and_half_precision() -> None:
    features, of_image = FEATURES.float(), rois(SMOOTH, torch.float32)
    expected = prroi_pool(features, of_image, 3)
    assert_close(prroi_pool(features.to(memory_format=torch.channels_last), of_image, 3), expected)
    assert_close(prroi_pool(features.transpose(2, 3).contiguous().transpose(2, 3), of_image, 3), expected)
    for dtype in (torch.float16, torch.bfloat16):
        pooled = prroi_pool(features.to(dtype), of_image, 3)
        assert pooled.dtype == dtype
        assert_close(pooled, prroi_pool(features.to(dtype).float(), of_image, 3).to(dtype))
    assert prroi_pool(features, of_image.half(), 3).dtype == torch.float32


def test_no_boxes() -> None:
    features = FEATURES.clone().requires_grad_()
    pooled = prroi_pool(features, torch.zeros(0, 5), (3, 2))
    assert pooled.shape == (0, 2, 3, 2)
    pooled.sum().backward()
    assert not features.grad.any()
