"""Checks of the ops that only training uses; like those of `ops_checks`, each takes the op."""

import warnings
from functools import cache

import numpy as np
import slow_ops
import torch
from ops_checks import Op, generators, some_boxes
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor
from torch.testing import assert_close

WIDEST = 45


def check_jitter(op: Op, cases: int = 200) -> None:
    """IoUs lie in the range, evenly (Kolmogorov-Smirnov), on all sides; scale and place of the object do not matter."""
    for case, generator in generators(cases // 20):
        low, high = ((0.5, 1.0), (0.3, 0.8), (0.9, 1.0), (0.0, 1.0))[case % 4]
        gt = some_boxes(4, generator, False).double() * 10
        boxes = op(gt, 400, low, high, generator)
        assert boxes.shape == (4, 400, 4)
        overlap = torch.tensor(
            [
                [slow_ops.iou(box, around) for box in row]
                for row, around in zip(boxes.tolist(), gt.tolist(), strict=True)
            ]
        )
        even = (torch.arange(1600) + 0.5) / 1600
        share = (overlap.flatten().sort().values - low) / (high - low)
        assert share.min() >= -1e-6
        assert share.max() <= 1 + 1e-6
        assert (share - even).abs().max() < 1.95 / 1600**0.5
        moved = (boxes - gt[:, None]) / (gt[:, None, 2:] - gt[:, None, :2]).repeat(1, 1, 2)
        assert ((moved > 0).double().mean((0, 1)) - 0.5).abs().max() < 0.1
        sides = (boxes[..., 2:] - boxes[..., :2]) / (gt[:, None, 2:] - gt[:, None, :2])
        assert ((sides > 1).double().mean((0, 1)) - 0.5).abs().max() < 0.1


@cache
def losses_of(cases: int) -> tuple[Tensor, Tensor]:
    """Sets of 0 to 45 losses: broad, narrower than 0.6, two clusters, all equal; padded with what must not matter."""
    rng = np.random.default_rng(0)
    losses, valid = rng.uniform(-9, 99, (cases, WIDEST)), np.zeros((cases, WIDEST), dtype=bool)
    for case in range(cases):
        n = case % 46 if case % 7 else case % 3
        kinds = (
            rng.gamma(2, 1, n),
            2 + rng.uniform(0, 0.5, n),
            np.concatenate([rng.normal(1, 0.1, n // 2), rng.normal(3, 0.5, n - n // 2)]),
            np.full(n, 1.25),
        )
        slots = rng.permutation(WIDEST)[:n]
        losses[case, slots], valid[case, slots] = kinds[case % 4], True
    return torch.from_numpy(losses.astype(np.float32)), torch.from_numpy(valid)


@cache
def fitted_by_sklearn(cases: int) -> list[tuple[np.ndarray, np.ndarray]]:
    warnings.simplefilter("ignore", ConvergenceWarning)
    fitted = []
    for losses, valid in zip(*losses_of(cases), strict=True):
        values = losses[valid].double().numpy()[:, None]
        if len(values) < 2:
            fitted.append((np.zeros(len(values), dtype=np.int64), None))
            continue
        mixture = GaussianMixture(
            2,
            weights_init=[0.5, 0.5],
            means_init=[[values.min()], [values.max()]],
            precisions_init=[[[1.0]], [[1.0]]],
        ).fit(values)
        fitted.append((mixture.predict(values), mixture.score_samples(values)))
    return fitted


def check_mixture(op: Op, cases: int = 1000) -> None:
    losses, valid = losses_of(cases)
    labels, density = op(losses, valid)
    assert labels.shape == density.shape == losses.shape
    assert (labels[~valid] == -1).all()
    for row, (expected, expected_density) in enumerate(fitted_by_sklearn(cases)):
        assert labels[row][valid[row]].tolist() == expected.tolist()
        if expected_density is not None:
            assert_close(density[row][valid[row]], torch.from_numpy(expected_density), atol=1e-9, rtol=1e-9)


def check_separate(op: Op, cases: int = 200) -> None:
    for case, generator in generators(cases):
        n, scheme = case % 12, "abcd"[case % 4]
        losses = (torch.rand(3, n, generator=generator) * 8).round() / 8
        density = (torch.rand(3, n, generator=generator) * 4).round().double()
        valid = torch.rand(3, n, generator=generator) < 0.8
        labels = (torch.rand(3, n, generator=generator) < (0.3, 0.7, 1.1)[case // 4 % 3]).long()
        verdict = op(losses, labels.where(valid, -1), density.where(valid, -torch.inf), valid, scheme)
        assert (verdict[~valid] == 0).all()
        for row in range(3):
            picked = [values[row][valid[row]].tolist() for values in (losses, labels, density)]
            assert verdict[row][valid[row]].tolist() == slow_ops.separate(*picked, scheme)


def check_cls_weights(op: Op, cases: int = 200) -> None:
    for case, generator in generators(cases):
        n = case % 9
        loss, iou = torch.rand(2, n, dtype=torch.float64, generator=generator)
        iou = iou * (torch.rand(n, generator=generator) < 0.8)
        positive = torch.rand(n, generator=generator) < 0.6
        groups = torch.randint(0, 3, (n,), generator=generator)
        eta = (0.0, 1.0, 1.5, 2.0)[case % 4]
        expected = slow_ops.cls_weights(loss.tolist(), iou.tolist(), eta, positive.tolist(), groups.tolist())
        weights = op(loss.requires_grad_(), iou.requires_grad_(), eta, positive, groups, 3)
        assert not weights.requires_grad
        assert_close(weights, torch.tensor(expected, dtype=torch.float64))
        if eta == 0:
            assert (weights == 1).all()


def check_loc_weights(op: Op, cases: int = 200) -> None:
    for case, generator in generators(cases):
        iou = torch.rand(case % 9, dtype=torch.float64, generator=generator).requires_grad_()
        lam, w_loc = (0.0, 0.5, 1.5)[case % 3], 1 + case % 4
        weights = op(iou, lam, float(w_loc))
        assert not weights.requires_grad
        assert_close(weights, torch.tensor([w_loc * value**lam for value in iou.tolist()], dtype=torch.float64))
