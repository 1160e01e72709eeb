"""Plausible mistakes, put into the source of each assigner and loss one at a time: its tests must notice every one."""

from collections import deque
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import test_assign_atss
import test_assign_max_iou
import test_assign_paa
import test_assign_points
import test_loss_basic
import test_loss_iou_balanced
from mistaken import wrong

ASSIGN, LOSS = "detectors.parts.assign.", "detectors.parts.loss."

Checks = tuple[ModuleType, str, list[Callable[[], Any]]]
"""A module of tests, the name by which it knows the part, and the tests that must notice."""

max_iou_fields = test_assign_max_iou.CONFIGS
CHECKS: dict[str, Checks] = {
    ASSIGN + "max_iou": (
        test_assign_max_iou,
        "Config",
        [lambda fields=fields: test_assign_max_iou.test_equals_the_slow_reference(fields) for fields in max_iou_fields],
    ),
    ASSIGN + "atss": (
        test_assign_atss,
        "Config",
        [lambda: test_assign_atss.test_equals_the_slow_reference(*test_assign_atss.SHAPES[0])],
    ),
    ASSIGN + "paa": (
        test_assign_paa,
        "paa",
        [lambda: test_assign_paa.test_paa_equals_the_slow_reference({"topk": 4, "single_positive": False})],
    ),
    ASSIGN + "fnp": (
        test_assign_paa,
        "fnp",
        [lambda: test_assign_paa.test_rivals_equal_their_slow_references("fnp", {"count": 3})],
    ),
    ASSIGN + "fsr": (
        test_assign_paa,
        "fsr",
        [lambda: test_assign_paa.test_rivals_equal_their_slow_references("fsr", {"score": 0.5})],
    ),
    ASSIGN + "fcos": (test_assign_points, "fcos", [lambda: test_assign_points.test_fcos_equals_the_slow_reference({})]),
    ASSIGN + "fovea": (
        test_assign_points,
        "fovea",
        [lambda: test_assign_points.test_fovea_equals_the_slow_reference(0.4)],
    ),
    LOSS + "focal": (
        test_loss_basic,
        "focal",
        [
            lambda: test_loss_basic.test_focal_equals_the_formula_and_torchvision({"alpha": 0.4, "gamma": 1.5}),
            lambda: test_loss_basic.test_the_derivative_of_focal_is_that_of_its_value(0.5),
        ],
    ),
    LOSS + "cross_entropy": (
        test_loss_basic,
        "cross_entropy",
        [test_loss_basic.test_cross_entropy_takes_background_as_the_last_channel],
    ),
    LOSS + "iou": (test_loss_basic, "iou_loss", [test_loss_basic.test_box_losses_equal_the_formulas]),
    LOSS + "giou": (test_loss_basic, "giou", [test_loss_basic.test_box_losses_equal_the_formulas]),
    LOSS + "smooth_l1": (
        test_loss_basic,
        "smooth_l1",
        [test_loss_basic.test_smooth_l1_is_quadratic_below_the_knee_and_a_line_above],
    ),
    LOSS + "iou_balanced_cls": (
        test_loss_iou_balanced,
        "iou_balanced_cls",
        [
            lambda base=base: test_loss_iou_balanced.test_classification_equals_the_slow_reference(base, 1.5)
            for base in test_loss_iou_balanced.BASES
        ],
    ),
    LOSS + "iou_balanced_loc": (
        test_loss_iou_balanced,
        "iou_balanced_loc",
        [
            test_loss_iou_balanced.test_auto_settles_on_the_ratio_of_the_first_batches,
            test_loss_iou_balanced.test_normalised_keeps_the_sum_of_every_group,
            lambda: test_loss_iou_balanced.test_localisation_equals_the_slow_reference(
                test_loss_basic.l1.Config(), 0.0
            ),
        ],
    ),
}

MISTAKES: dict[str, list[tuple[str, str]]] = {
    ASSIGN + "max_iou": [
        ("masked_fill_(~targets.objects[..., None], -1)", "masked_fill_(~targets.valid[..., None], -1)"),
        ("(best >= self.config.positive)", "(best > self.config.positive)"),
        ("best < self.config.negative, BACKGROUND, IGNORED", "best < self.config.negative, BACKGROUND, BACKGROUND"),
        ("claims.any(dim=1), slot, matched", "claims.any(dim=1), claims.int().argmax(dim=1), matched"),
        ("& (highest > 0)", ""),
    ],
    ASSIGN + "atss": [
        ("return mean + spread.sqrt()", "return mean"),
        ("/ (count - 1).clamp(min=1)", "/ count.clamp(min=1)"),
        ("& (depth > self.config.inside)", ""),
        ('iou, "amax")', 'iou, "amin", include_self=False)'),
    ],
    ASSIGN + "paa": [
        ("* levels + anchors.level", "* levels"),
        ("best.place < topk", "best.place <= topk"),
        ("loss.flatten()[best.order]", "loss.flatten()"),
        ("valid.sum(dim=1, keepdim=True) == 1, 0", "valid.sum(dim=1, keepdim=True) == 2, 0"),
    ],
    ASSIGN + "fnp": [
        ("place < self.count", "place <= self.count"),
        ("ranked(loss", "ranked(-loss"),
        (".scatter_(0, best.order, best.place)", ".copy_(best.place)"),
    ],
    ASSIGN + "fsr": [
        ("loss.neg().exp() > self.score", "loss.neg().exp() < self.score"),
        ("loss.neg().exp()", "(1 - loss)"),
        ("> self.score", "> 2 * self.score"),
    ],
    ASSIGN + "fcos": [
        ("size.min(dim=1)", "size.neg().min(dim=1)"),
        ("torch.maximum((x - (left", "torch.minimum((x - (left"),
        ("(greatest > lower) & (greatest < upper)", "(greatest < upper)"),
        ("depth.amax(dim=0)", "depth.amin(dim=0)"),
    ],
    ASSIGN + "fovea": [
        ("area(targets.boxes)[..., None]", "area(targets.boxes)[..., None] * 2"),
        ("/ 2 * self.config.sigma", "* self.config.sigma"),
        ("& self._middle(anchors, targets) & targets.objects", "& self._middle(anchors, targets) & targets.valid"),
        ("(scale >= least) & (scale <= greatest)", "(scale <= greatest)"),
    ],
    LOSS + "focal": [
        ("logits, 1 - alpha, gamma", "logits, alpha, gamma"),
        ("wrong.pow(gamma)", "wrong.pow(2)"),
        ("_curve(-logits.gather", "_curve(logits.gather"),
        ("positive, -own_slope", "positive, own_slope"),
        (".mul_(gamma).add_(wrong)", ".add_(wrong)"),
    ],
    LOSS + "cross_entropy": [
        ("logits.shape[-1] - 1, labels", "0, labels"),
        ("[..., :-1]", "[..., 1:]"),
        ("labels < 0", "labels <= 0"),
    ],
    LOSS + "iou": [
        ("1 - iou if", "iou if"),
        ("min=1e-6", "min=1e-2"),
        ("-iou.clamp", "iou.clamp"),
    ],
    LOSS + "giou": [
        ("1 - aligned_giou", "-aligned_giou"),
        ("1 - aligned_giou(predicted, target)", "1 - aligned_giou(predicted, target).clamp(min=0)"),
        ("aligned_giou(predicted, target)", "aligned_giou(predicted, predicted)"),
    ],
    LOSS + "smooth_l1": [
        ("beta=self.beta", "beta=1.0"),
        ("functional.smooth_l1_loss", "self.beta * functional.smooth_l1_loss"),
        ("beta=self.beta)", "beta=2 * self.beta)"),
    ],
    LOSS + "iou_balanced_cls": [
        ("fit.group, fit.groups", "None, 1"),
        ("labels >= 0, fit", "labels >= -2, fit"),
        ("- 1)[:, None]", ")[:, None]"),
        ("fit.iou, self.eta", "fit.iou, 2 * self.eta"),
    ],
    LOSS + "iou_balanced_loc": [
        ("torch.where(fit.mask, values, 0)", "values"),
        ("self.plain / self.balanced", "self.balanced / self.plain"),
        ("self.seen < self.config.batches", "self.seen <= self.config.batches"),
        ("fit.mask, fit.group, fit.groups", "fit.mask, None, 1"),
        ("if self.config.lam == 0:", "if False:"),
    ],
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "right", "mistake"), [(name, *pair) for name, pairs in MISTAKES.items() for pair in pairs]
)
def test_the_mistake_is_noticed(name: str, right: str, mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tests, known_as, checks = CHECKS[name]
    module = wrong(name, right, mistake)
    monkeypatch.setattr(tests, known_as, module.Config if known_as == "Config" else module)
    with pytest.raises((AssertionError, RuntimeError)):
        deque((check() for check in checks), maxlen=0)


def test_every_part_has_three_mistakes_at_least() -> None:
    assert MISTAKES.keys() == CHECKS.keys()
    assert all(len(pairs) >= 3 for pairs in MISTAKES.values())
