"""Boxes as deltas: against the formulas of R-CNN written out, there and back, and at the edges."""

import math

import pytest
import torch

from detectors.parts.coder import delta


def references(count: int = 50) -> torch.Tensor:
    torch.manual_seed(0)
    corner = torch.rand(count, 2) * 100
    return torch.cat([corner, corner + 1 + torch.rand(count, 2) * 60], 1)


def test_codes_are_those_of_the_paper() -> None:
    coder = delta.Config(stds=(0.1, 0.2, 0.3, 0.4)).build()
    (code,) = coder.encode(torch.tensor([[10.0, 20, 30, 60]]), torch.tensor([[12.0, 20, 32, 100]]))
    expected = [(22 - 20) / 20 / 0.1, (60 - 40) / 40 / 0.2, 0, math.log(80 / 40) / 0.4]
    assert code.tolist() == pytest.approx(expected, abs=1e-5)


def test_there_and_back() -> None:
    coder, boxes = delta.Config().build(), references()
    others = boxes.roll(1, 0)
    assert torch.allclose(coder.decode(boxes, coder.encode(boxes, others)), others, atol=1e-3)
    batched = coder.decode(boxes.view(5, 10, 4), coder.encode(boxes, others).view(5, 10, 4))
    assert torch.allclose(batched.view(-1, 4), others, atol=1e-3)


def test_growth_is_bounded_and_shrinking_is_not() -> None:
    coder = delta.Config(stds=(1.0, 1.0, 1.0, 1.0), max_growth=4.0).build()
    box = torch.tensor([[10.0, 10, 20, 20]])
    x1, y1, x2, y2 = coder.decode(box, torch.tensor([[0.0, 0, 50, -50]]))[0].tolist()
    assert (x2 - x1, y2 - y1) == pytest.approx((40, 0), abs=1e-4)


def test_boxes_without_area_have_finite_codes() -> None:
    coder, flat = delta.Config().build(), torch.tensor([[5.0, 5, 5, 9]])
    solid = torch.tensor([[0.0, 0, 10, 10]])
    assert coder.encode(solid, flat).isfinite().all()
    assert coder.encode(flat, solid).isfinite().all()


def test_half_precision_codes_are_decoded_in_single() -> None:
    boxes = references() * 10
    decoded = delta.Config().build().decode(boxes, torch.zeros(len(boxes), 4, dtype=torch.float16))
    assert decoded.dtype == torch.float32
    assert torch.allclose(decoded, boxes, atol=1e-3)
