"""The scaling model: what must hold of it, and that the page says what it gives."""

import sys
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist
from types import ModuleType

import pytest

import detectors

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [*sys.path, str(DOCS)])
    import scaling_model

    return scaling_model


def test_gradients_are_one_float_for_each_weight_that_is_trained(model: ModuleType) -> None:
    built = detectors.build("retinanet_tiny", num_classes=5)
    trained = sum(weights.numel() for weights in built.parameters() if weights.requires_grad)
    assert model.gradient_bytes("retinanet_tiny", num_classes=5) == 4 * trained


def test_a_ring_moves_twice_what_is_exchanged_less_ones_own_part(model: ModuleType) -> None:
    step = model.Step(seconds=1.0, bytes=100e6)
    for workers in (2, 4, 512):
        # Each of N - 1 rounds to add up and of N - 1 rounds to hand around moves an N-th of it.
        rounds = sum(100e6 / workers / 1e9 for _ in range(2 * (workers - 1)))
        assert step.exchange(workers, 1e9) == pytest.approx(rounds, rel=0.02)
    assert step.exchange(1, 1e9) == 0


def test_more_workers_and_slower_networks_are_never_more_efficient(model: ModuleType) -> None:
    step = model.Step(seconds=0.2, bytes=165e6)
    shares = [
        [step.efficiency(workers, bandwidth) for workers in (1, 2, 8, 64, 512)] for bandwidth in (1e11, 1e10, 1e9)
    ]
    for row in shares:
        assert row[0] == 1
        assert row == sorted(row, reverse=True)
    for faster, slower in pairwise(shares):
        assert all(a >= b for a, b in zip(faster, slower, strict=True))


def test_the_slowest_of_many_draws(model: ModuleType) -> None:
    """Against the integral of x d(F^N)."""
    normal, width = NormalDist(), 0.001
    for workers in (2, 8, 64, 512):
        at = [width * i for i in range(-8000, 8000)]
        mean = sum(x * (normal.cdf(x + width) ** workers - normal.cdf(x) ** workers) for x in at)
        assert model.slowest_of(workers) == pytest.approx(mean, abs=0.03)


def test_the_page_has_the_numbers_of_the_model(model: ModuleType) -> None:
    page = (DOCS / "scaling.md").read_text()
    for line in (*model.needs(), *(line for speed in model.SPEEDS for line in model.table(model.SHOWN, speed))):
        assert line in page
