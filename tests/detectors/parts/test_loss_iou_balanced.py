"""IoU-balanced losses against slow references of the paper's equations, and at the limits where they are the base."""

from typing import Any

import pytest
import torch
from torch import Tensor

from detectors.parts.loss import (
    ClsLossConfig,
    Fit,
    cross_entropy,
    focal,
    giou,
    iou_balanced_cls,
    iou_balanced_loc,
    l1,
    smooth_l1,
)

BASES: list[ClsLossConfig] = [focal.Config(), cross_entropy.Config()]


def cls_case(seed: int, rows: int = 24, groups: int = 3) -> tuple[Tensor, Tensor, Fit]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, 4, generator=generator, dtype=torch.float64) * 3
    labels = torch.randint(-2, 3, (rows,), generator=generator)
    iou = torch.rand(rows, generator=generator, dtype=torch.float64)
    iou = iou * (torch.rand(rows, generator=generator) < 0.9)
    return logits, labels, Fit(iou=iou, group=torch.randint(0, groups, (rows,), generator=generator), groups=groups)


def slow_cls(values: Tensor, labels: Tensor, fit: Fit, eta: float) -> Tensor:
    """Eq. 3-4, entry by entry: a positive's own entry weighs IoU^eta R, where R keeps its group's sum."""
    expected = values.clone()
    group = fit.group.tolist() if fit.group is not None else [0] * len(labels)

    def own(row: int) -> tuple[int, ...]:
        return (row, int(labels[row])) if values.ndim == 2 else (row,)

    for wanted in set(group):
        rows = [row for row, of in enumerate(group) if of == wanted and labels[row] >= 0]
        before = sum(float(values[own(row)]) for row in rows)
        after = sum(float(values[own(row)]) * float(fit.iou[row]) ** eta for row in rows)
        for row in rows:
            expected[own(row)] *= float(fit.iou[row]) ** eta * (before / after if after > 0 else 1)
    return expected


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.kind)
@pytest.mark.parametrize("eta", [0.0, 1.0, 1.5])
def test_classification_equals_the_slow_reference(base: ClsLossConfig, eta: float) -> None:
    loss = iou_balanced_cls.Config(base=base, eta=eta).build()
    for seed in range(70):
        logits, labels, fit = cls_case(seed, groups=1 + seed % 3)
        values = loss(logits, labels, fit)
        torch.testing.assert_close(values, slow_cls(base.build()(logits, labels), labels, fit, eta))


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.kind)
def test_without_exponent_or_with_equal_fits_it_is_the_base_loss(base: ClsLossConfig) -> None:
    logits, labels, fit = cls_case(0)
    plain = base.build()(logits, labels)
    assert torch.equal(iou_balanced_cls.Config(base=base, eta=0.0).build()(logits, labels, fit), plain)
    same = Fit(iou=torch.full_like(fit.iou, 0.37), group=fit.group, groups=fit.groups)
    torch.testing.assert_close(iou_balanced_cls.Config(base=base).build()(logits, labels, same), plain)


def test_the_loss_of_positives_keeps_its_sum_in_every_group_and_negatives_their_values() -> None:
    loss, base = iou_balanced_cls.Config().build(), focal.Config().build()
    for seed in range(50):
        logits, labels, fit = cls_case(seed)
        plain, values = base(logits, labels), loss(logits, labels, fit)
        own = torch.nn.functional.one_hot(labels.clamp(min=0), 4).bool() & (labels >= 0)[:, None]
        assert torch.equal(values[~own], plain[~own])
        for group in range(fit.groups):
            mine = own & (fit.group == group)[:, None]
            if (fit.iou[mine.any(1)] > 0).any():
                torch.testing.assert_close(values[mine].sum(), plain[mine].sum())


def test_weights_carry_no_gradient() -> None:
    logits, labels, fit = cls_case(1)
    logits.requires_grad_()
    fit.iou.requires_grad_()
    values = iou_balanced_cls.Config().build()(logits, labels, fit)
    base = focal.Config().build()(logits, labels)
    weights = (values / base).detach()
    (gradient,) = torch.autograd.grad(values.sum(), logits, retain_graph=True)
    (expected,) = torch.autograd.grad((base * weights).sum(), logits)
    torch.testing.assert_close(gradient, expected)
    assert torch.autograd.grad(values.sum(), fit.iou, allow_unused=True) == (None,)


def loc_case(seed: int, rows: int = 16) -> tuple[Tensor, Tensor, Fit]:
    generator = torch.Generator().manual_seed(seed)
    predicted, target = torch.randn(2, rows, 4, generator=generator, dtype=torch.float64).unbind()
    mask = torch.rand(rows, generator=generator) < 0.7
    return predicted, target, Fit(iou=torch.rand(rows, generator=generator, dtype=torch.float64) * mask, mask=mask)


@pytest.mark.parametrize("base", [smooth_l1.Config(beta=0.11), l1.Config(), giou.Config()], ids=lambda base: base.kind)
@pytest.mark.parametrize("lam", [0.0, 0.5, 1.5])
def test_localisation_equals_the_slow_reference(base: Any, lam: float) -> None:
    loss = iou_balanced_loc.Config(base=base, lam=lam, w_loc="fixed", fixed=2.0).build()
    for seed in range(70):
        predicted, target, fit = loc_case(seed)
        values, plain = loss(predicted, target, fit), base.build()(predicted, target)
        for row in range(len(values)):
            weight = 2.0 * float(fit.iou[row]) ** lam if lam else 1.0
            torch.testing.assert_close(values[row], plain[row] * weight)


def total(values: Tensor, fit: Fit) -> Tensor:
    return values[fit.mask].sum()


@pytest.mark.parametrize("w_loc", ["auto", "normalised"])
def test_the_first_batch_keeps_its_sum(w_loc: Any) -> None:
    for seed in range(20):
        predicted, target, fit = loc_case(seed)
        values = iou_balanced_loc.Config(w_loc=w_loc).build()(predicted, target, fit)
        torch.testing.assert_close(
            total(values, fit), total(smooth_l1.Config().build()(predicted, target), fit), rtol=1e-6, atol=0
        )


def test_auto_settles_on_the_ratio_of_the_first_batches() -> None:
    loss, base = iou_balanced_loc.Config(batches=3).build(), smooth_l1.Config().build()
    plain = balanced = 0.0
    for seed in range(3):
        predicted, target, fit = loc_case(seed)
        loss(predicted, target, fit)
        values = base(predicted, target).sum(1) * fit.mask
        plain, balanced = plain + float(values.sum()), balanced + float((values * fit.iou**1.5).sum())
    for seed in range(3, 6):
        predicted, target, fit = loc_case(seed)
        values = loss(predicted, target, fit)
        torch.testing.assert_close(
            values, base(predicted, target) * (fit.iou**1.5 * plain / balanced)[:, None], rtol=1e-5, atol=1e-8
        )


def test_auto_does_not_learn_from_evaluation_and_survives_a_checkpoint() -> None:
    loss = iou_balanced_loc.Config().build()
    loss(*loc_case(0))
    again = iou_balanced_loc.Config().build()
    again.load_state_dict(loss.state_dict())
    loss.eval()
    loss(*loc_case(1))
    assert torch.equal(again.eval()(*loc_case(2)), loss(*loc_case(2)))


def test_normalised_keeps_the_sum_of_every_group() -> None:
    loss = iou_balanced_loc.Config(w_loc="normalised", scope="image").build()
    assert loss.balanced_over == "image"
    predicted, target, fit = loc_case(4)
    group = torch.arange(len(fit.iou)) % 2
    values = loss(predicted, target, Fit(iou=fit.iou, mask=fit.mask, group=group, groups=2))
    plain = smooth_l1.Config().build()(predicted, target)
    for wanted in range(2):
        mine = fit.mask & (group == wanted)
        torch.testing.assert_close(values[mine].sum(), plain[mine].sum())


def test_no_positives_are_no_trouble() -> None:
    logits, labels, fit = cls_case(0)
    values = iou_balanced_cls.Config().build()(logits, labels.clamp(max=-1), fit)
    torch.testing.assert_close(values, focal.Config().build()(logits, labels.clamp(max=-1)))
    nothing = torch.zeros(0, 4)
    for w_loc in ("auto", "fixed", "normalised"):
        assert iou_balanced_loc.Config(w_loc=w_loc).build()(nothing, nothing, Fit(iou=torch.zeros(0))).shape == (0, 4)


def test_boxes_that_all_miss_lose_nothing_and_stay_finite() -> None:
    predicted, target, fit = loc_case(0)
    missed = Fit(iou=torch.zeros_like(fit.iou), mask=fit.mask)
    for w_loc in ("auto", "normalised"):
        values = iou_balanced_loc.Config(w_loc=w_loc).build()(predicted, target, missed)
        assert not values[fit.mask].any()


@pytest.mark.parametrize("config", [iou_balanced_cls.Config(), iou_balanced_loc.Config()])
def test_a_missing_fit_is_named(config: Any) -> None:
    with pytest.raises(ValueError, match="how well boxes fit"):
        config.build()(torch.zeros(1, 4), torch.zeros(1, dtype=torch.int64))


def test_the_weights_of_wrapper_and_base_multiply() -> None:
    assert iou_balanced_loc.Config(weight=2.0, base=l1.Config(weight=1.5)).build().weight == 3.0
