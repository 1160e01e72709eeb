"""All ops alike: empty, non-contiguous and half-precision input; and none changes its arguments."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.testing import assert_close

from detectors import ops

Arguments = tuple[Tensor, ...]


def boxes(n: int) -> Tensor:
    corner = torch.rand(n, 2, generator=torch.Generator().manual_seed(n)) * 20
    return torch.cat([corner, corner + 5 + corner.flip(0)], 1)


def values(n: int) -> Tensor:
    return torch.rand(n, generator=torch.Generator().manual_seed(n + 100))


def jitter(gt: Tensor) -> Tensor:
    return ops.jitter_boxes_uniform_iou(gt, 3, 0.5, 1.0, torch.Generator().manual_seed(0))


CALLS: dict[str, tuple[Callable[..., object], Callable[[int], Arguments]]] = {
    "aligned_giou": (ops.aligned_giou, lambda n: (boxes(n), boxes(n + 1)[:n])),
    "aligned_iou": (ops.aligned_iou, lambda n: (boxes(n), boxes(n + 1)[:n])),
    "area": (ops.area, lambda n: (boxes(n),)),
    "clip": (lambda b: ops.clip(b, (12, 15)), lambda n: (boxes(n),)),
    "fit_two_gaussians": (ops.fit_two_gaussians, lambda n: (values(n * 4).view(n, 4), torch.ones(n, 4).bool())),
    "integrity": (ops.integrity, lambda n: (boxes(n), boxes(n + 1)[:n])),
    "iou_balanced_cls_weights": (
        lambda x, y: ops.iou_balanced_cls_weights(x, y, 1.5),
        lambda n: (values(n), values(n)),
    ),
    "iou_balanced_loc_weights": (lambda x: ops.iou_balanced_loc_weights(x, 1.5, 2.0), lambda n: (values(n),)),
    "iou_from_purity_integrity": (ops.iou_from_purity_integrity, lambda n: (values(n), values(n + 1)[:n])),
    "iou_guided_nms": (
        lambda b, s, t: ops.iou_guided_nms(b, s, t, 0.5),
        lambda n: (boxes(n), values(n), values(n + 1)[:n]),
    ),
    "iou_logit_from_purity_integrity_logits": (
        ops.iou_logit_from_purity_integrity_logits,
        lambda n: (values(n), values(n + 1)[:n]),
    ),
    "jitter_boxes_uniform_iou": (jitter, lambda n: (boxes(n),)),
    "pairwise_intersection_over_first": (ops.pairwise_intersection_over_first, lambda n: (boxes(n), boxes(3))),
    "pairwise_iou": (ops.pairwise_iou, lambda n: (boxes(n), boxes(3))),
    "prroi_pool": (
        lambda b, f: ops.prroi_pool(f, torch.cat([b[:, :1] * 0, b], 1), 2),
        lambda n: (boxes(n), values(60).view(1, 2, 5, 6)),
    ),
    "purity": (ops.purity, lambda n: (boxes(n), boxes(n + 1)[:n])),
    "refine_boxes": (lambda b: ops.refine_boxes(b, lambda x: x[:, 2] / 99), lambda n: (boxes(n),)),
    "score_vote": (
        lambda b, s, k: ops.score_vote(k, b, s, 0.025),
        lambda n: (boxes(n), values(n), torch.arange(n // 2)),
    ),
    "separate": (
        lambda x, d: ops.separate(x, (x > 0.5).long(), d, x >= 0, "c"),
        lambda n: (values(n * 4).view(n, 4), values(n * 4 + 1)[1:].view(n, 4)),
    ),
    "soft_nms": (lambda b, s: ops.soft_nms(b, s), lambda n: (boxes(n), values(n))),
}


def tensors(result: object) -> list[Tensor]:
    return list(result) if isinstance(result, tuple) else [result]


def strided(tensor: Tensor) -> Tensor:
    """The same values, every second element of a larger tensor."""
    return torch.stack([tensor, tensor], -1)[..., 0]


def test_every_op_is_here() -> None:
    assert sorted(CALLS) == sorted(ops.__all__)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_empty_input_gives_empty_output(name: str) -> None:
    call, arguments = CALLS[name]
    for result, usual in zip(tensors(call(*arguments(0))), tensors(call(*arguments(4))), strict=True):
        assert result.numel() == 0
        assert result.dtype == usual.dtype
        assert result.dim() == usual.dim()


@pytest.mark.parametrize("name", sorted(CALLS))
def test_non_contiguous_input(name: str) -> None:
    call, arguments = CALLS[name]
    for odd, usual in zip(tensors(call(*map(strided, arguments(6)))), tensors(call(*arguments(6))), strict=True):
        assert_close(odd, usual)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_arguments_stay_as_they_are(name: str) -> None:
    call, arguments = CALLS[name]
    given = arguments(6)
    call(*given)
    assert all(torch.equal(now, before) for now, before in zip(given, arguments(6), strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", sorted(CALLS))
def test_half_precision_is_as_exact_as_its_input(name: str, dtype: torch.dtype) -> None:
    call, arguments = CALLS[name]
    given = [x.to(dtype) if x.is_floating_point() else x for x in arguments(6)]
    full = [x.float() if x.is_floating_point() else x for x in given]
    for half, exact in zip(tensors(call(*given)), tensors(call(*full)), strict=True):
        assert_close(half.to(exact.dtype), exact, atol=0.02, rtol=0.02)


def test_areas_beyond_half_precision() -> None:
    huge = torch.tensor([[0.0, 0, 1200, 800]], dtype=torch.float16)
    assert ops.area(huge).item() == 960000
    assert ops.pairwise_iou(huge, huge).item() == 1


def test_leading_dimensions_broadcast() -> None:
    first, second = boxes(10).view(2, 5, 4), boxes(3)
    assert_close(ops.pairwise_iou(first, second)[1], ops.pairwise_iou(first[1], second))


def test_gradients_of_geometry() -> None:
    first, second = (boxes(n)[:5].double().requires_grad_() for n in (5, 6))
    for op in (ops.aligned_iou, ops.aligned_giou, ops.purity, ops.integrity, ops.pairwise_iou):
        assert gradcheck(op, (first, second))
    a, b = torch.randn(2, 6, dtype=torch.float64).unbind()
    assert gradcheck(ops.iou_logit_from_purity_integrity_logits, (a.requires_grad_(), b.requires_grad_()))
    assert gradcheck(ops.iou_from_purity_integrity, (values(4).double().requires_grad_(), values(4).double()))


def test_boxes_without_area_have_finite_gradients() -> None:
    dot = torch.tensor([[3.0, 3, 3, 3]], requires_grad=True)
    for op in (ops.aligned_iou, ops.aligned_giou, ops.purity, ops.integrity):
        assert op(dot, torch.tensor([[3.0, 3, 3, 3]])).item() == 0
        (gradient,) = torch.autograd.grad(op(dot, torch.tensor([[0.0, 0, 5, 5]])).sum(), dot)
        assert gradient.isfinite().all()
