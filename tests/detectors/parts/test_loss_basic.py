"""Element-wise losses against torchvision, slow references and gradient checks."""

import math
from typing import Any

import pytest
import torch
from slow_boxes import area, iou, random_boxes
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from detectors.parts.loss import ClsLoss, LocLoss, bce, cross_entropy, focal, giou, l1, one_hot, smooth_l1
from detectors.parts.loss import iou as iou_loss


def cases(seed: int, rows: int = 20, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, classes, (rows,), generator=generator)
    return torch.randn(rows, classes, generator=generator, dtype=torch.float64) * 4, labels


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("fields", [{}, {"alpha": 0.4, "gamma": 1.5}, {"alpha": 0.5, "gamma": 0.0}])
def test_focal_equals_the_formula_and_torchvision(fields: dict[str, float]) -> None:
    config = focal.Config(**fields)
    loss = config.build()
    for seed in range(70):
        logits, labels = cases(seed)
        values = loss(logits, labels)
        target = one_hot(labels, 4).double()
        theirs = sigmoid_focal_loss(logits, target, alpha=config.alpha, gamma=config.gamma)
        torch.testing.assert_close(values, theirs, rtol=1e-9, atol=1e-12)
        p, right = sigmoid(float(logits[0, 0])), int(labels[0]) == 0
        expected = (
            -config.alpha * (1 - p) ** config.gamma * math.log(p)
            if right
            else (-(1 - config.alpha) * p**config.gamma * math.log(1 - p))
        )
        assert float(values[0, 0]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_derivative_of_focal_is_that_of_its_value(gamma: float) -> None:
    loss = focal.Config(alpha=0.3, gamma=gamma).build()
    logits, labels = cases(5, rows=6)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), logits.requires_grad_())


def test_focal_stays_finite_with_finite_gradients_at_extreme_logits() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        logits = torch.tensor([[80.0, -80.0], [-80.0, 80.0]], dtype=dtype, requires_grad=True)
        focal.Config().build()(logits, torch.tensor([1, -1])).sum().backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


def test_cross_entropy_takes_background_as_the_last_channel() -> None:
    loss = cross_entropy.Config().build()
    assert loss.channels(4) == 5
    for seed in range(50):
        logits, labels = cases(seed, classes=5)
        labels = labels.clamp(max=3)
        values = loss(logits, labels)
        for row in range(len(labels)):
            weights = [math.exp(x) for x in logits[row].tolist()]
            channel = 4 if labels[row] < 0 else int(labels[row])
            assert float(values[row]) == pytest.approx(-math.log(weights[channel] / sum(weights)), rel=1e-9)
    torch.testing.assert_close(loss.scores(logits), logits.softmax(-1)[:, :4])


def test_cross_entropy_keeps_leading_dimensions() -> None:
    logits, labels = cases(0, classes=5)
    labels = labels.clamp(max=3)
    loss = cross_entropy.Config().build()
    torch.testing.assert_close(loss(logits.view(4, 5, 5), labels.view(4, 5)).flatten(), loss(logits, labels))


def test_bce_is_focal_without_focus_doubled() -> None:
    logits, labels = cases(3)
    values = bce.Config().build()(logits, labels)
    torch.testing.assert_close(values, 2 * focal.Config(alpha=0.5, gamma=0.0).build()(logits, labels))


def test_smooth_l1_is_quadratic_below_the_knee_and_a_line_above() -> None:
    loss = smooth_l1.Config(beta=0.5).build()
    values = loss(torch.tensor([[0.1, -0.5, 0.6, 3.0]]), torch.zeros(1, 4))
    torch.testing.assert_close(values, torch.tensor([[0.01, 0.25, 0.35, 2.75]]))


def test_l1_is_the_absolute_difference() -> None:
    values = l1.Config().build()(torch.tensor([[1.0, -2, 3, 4]]), torch.tensor([[0.0, 0, 5, 4]]))
    assert values.tolist() == [[1, 2, 2, 0]]


def slow_giou(a: list[float], b: list[float]) -> float:
    hull = area([min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])])
    inside = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    union = area(a) + area(b) - inside
    return iou(a, b) - (hull - union) / hull


def test_box_losses_equal_the_formulas() -> None:
    for seed in range(200):
        generator = torch.Generator().manual_seed(seed)
        first, second = random_boxes(generator, 6, 64).double(), random_boxes(generator, 6, 64).double()
        pairs = list(zip(first.tolist(), second.tolist(), strict=True))
        ours = giou.Config().build()(first, second)
        torch.testing.assert_close(ours, torch.tensor([1 - slow_giou(a, b) for a, b in pairs], dtype=torch.float64))
        torch.testing.assert_close(ours, generalized_box_iou_loss(first, second, eps=0), rtol=1e-9, atol=1e-9)
        linear, log = (iou_loss.Config(form=form).build()(first, second) for form in ("linear", "log"))
        torch.testing.assert_close(linear, torch.tensor([1 - iou(a, b) for a, b in pairs], dtype=torch.float64))
        torch.testing.assert_close(log, -(1 - linear).clamp(min=1e-6).log())


@pytest.mark.parametrize("config", [giou.Config(), iou_loss.Config(form="linear"), iou_loss.Config()])
def test_box_losses_have_finite_gradients_on_degenerate_boxes(config: Any) -> None:
    loss: LocLoss = config.build()
    assert loss.on == "boxes"
    points = torch.tensor([[5.0, 5, 5, 5], [9, 9, 3, 3], [0, 0, 4, 4], [100, 100, 120, 120]], requires_grad=True)
    loss(points, torch.tensor([[5.0, 5, 5, 5], [1, 1, 8, 8], [0, 0, 4, 4], [0, 0, 2, 2]])).sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()


@pytest.mark.parametrize("kind", [focal, bce, cross_entropy, l1, smooth_l1, giou, iou_loss])
def test_nothing_in_gives_nothing_out_and_the_weight_acts_once(kind: Any) -> None:
    loss = kind.Config(weight=2.5).build()
    wide = loss.channels(3) if isinstance(loss, ClsLoss) else 4
    target = torch.zeros(0, dtype=torch.int64) if isinstance(loss, ClsLoss) else torch.zeros(0, 4)
    values = loss(torch.zeros(0, wide), target)
    assert float(loss.total(values, 1.0)) == 0
    assert float(loss.total(torch.tensor([1.0, 3.0]), 2.0)) == 5


@pytest.mark.parametrize("kind", [focal, bce, cross_entropy])
def test_scores_are_probabilities_of_the_classes(kind: Any) -> None:
    loss: ClsLoss = kind.Config().build()
    scores = loss.scores(torch.randn(7, loss.channels(3)))
    assert scores.shape == (7, 3)
    assert ((scores > 0) & (scores < 1)).all()
