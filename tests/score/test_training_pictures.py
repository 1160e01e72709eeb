"""Pictures of a training show the numbers that they were given."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from bench.score.pictures.training import (
    LEAST_COUNT,
    Pull,
    assignment_over_training,
    gradient_by_error,
    positives_over_training,
    regression_gains,
    smooth_l1_bound,
)


def saved(picture, tmp_path: Path) -> list[dict[str, str]]:
    shown, table = picture.save(tmp_path / "picture")
    assert shown.stat().st_size > 4000
    with table.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("count", [1, 4, 60])
def test_positives_of_each_row(tmp_path: Path, count: int) -> None:
    points = {"a": [(20 * i, 5 + i % 3) for i in range(count)], "b": [(7, 1.5)]}
    rows = saved(positives_over_training(points), tmp_path)
    found = [(row["row"], int(row["iteration"]), float(row["positives_per_object"])) for row in rows]
    assert found == [(name, *point) for name, those in points.items() for point in those]


def test_shares_of_boxes_by_their_gain(tmp_path: Path) -> None:
    gains = {"step 1": np.array([0.11, 0.11, -0.26, 0.49]), "nothing": np.zeros(0)}
    rows = saved(regression_gains(gains), tmp_path)
    shares = {(row["row"], round(float(row["low"]), 3)): float(row["share"]) for row in rows if float(row["share"])}
    assert shares == {("step 1", 0.1): 0.5, ("step 1", -0.275): 0.25, ("step 1", 0.475): 0.25}


def test_means_of_bins_with_enough_codes(tmp_path: Path) -> None:
    edges = np.array([0.01, 0.1, 1.0])
    counts = np.array([[9, 40, LEAST_COUNT - 1, 9], [9, LEAST_COUNT, 80, 9]])
    rows = saved(gradient_by_error({"a": Pull(edges, counts * 3.0, counts)}, {"a": (1.5, 2.0)}), tmp_path)
    assert [(float(row["low"]), float(row["high"])) for row in rows] == [(0.01, 0.1), (0.1, 1.0)] * 2
    assert [float(row["gradient"]) for row in rows] == [3.0, pytest.approx(np.nan, nan_ok=True), 3.0, 3.0]
    assert [int(row["codes_seen"]) for row in rows] == [40, LEAST_COUNT - 1, LEAST_COUNT, 80]


@pytest.mark.parametrize("size", [False, True])
@pytest.mark.parametrize(("lam", "w_loc"), [(0.0, 1.0), (1.5, 3.049), (1.8, 3.649)])
def test_the_bound_is_the_slope_of_the_weighed_loss(size: bool, lam: float, w_loc: float) -> None:
    """The IoU of boxes that are off in one code only, and no gradient through it."""
    error = torch.linspace(0.005, 0.95, 60, dtype=torch.float64, requires_grad=True)
    off = error.detach()
    iou = (-off).exp() if size else (1 - off) / (1 + off)
    loss = w_loc * iou**lam * functional.smooth_l1_loss(error, torch.zeros(60), reduction="none", beta=1 / 9)
    loss.sum().backward()
    np.testing.assert_allclose(smooth_l1_bound(off.numpy(), lam, w_loc, size=size), error.grad.numpy(), rtol=1e-9)


def test_anchors_of_each_moment(tmp_path: Path) -> None:
    sides = {
        f"{name}_{side}": 10.0 + i for name in ("anchor", "box") for i, side in enumerate(("x1", "y1", "x2", "y2"))
    }
    positive = {"object": 1.0, "level": 0.0, "anchor_iou": 0.5, "box_iou": 0.7, **sides}
    shots = [
        {"iteration": 1, "row": 3, "objects": [[1, 2, 30, 20], [5, 5, 9, 9]], "positives": []},
        {"iteration": 90, "row": 3, "objects": [[1, 2, 30, 20], [5, 5, 9, 9]], "positives": [positive] * 3},
    ]
    rows = saved(assignment_over_training(np.zeros((40, 60, 3), np.uint8), shots), tmp_path)
    assert [(row["iteration"], row["object"], row["box_iou"]) for row in rows] == [("90", "1.0", "0.7")] * 3
