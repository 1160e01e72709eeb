"""Intervals and ties against slow references that use other code."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.board.making.estimate import Measured, difference, over_seeds
from bench.board.making.ranking import clearly_better

numbers = st.floats(0, 1, allow_nan=False)
seeded = st.dictionaries(st.integers(0, 5), numbers, min_size=1)


@settings(deadline=None)
@given(seeded)
def test_interval_over_seeds_is_students(values: dict[int | None, float]) -> None:
    found = over_seeds(Measured(values))
    assert found.value == pytest.approx(np.mean(list(values.values())))
    assert found.n == len(values)
    if len(values) < 2:
        assert found.low is None
        return
    low, high = stats.t.interval(
        0.95, len(values) - 1, loc=found.value, scale=max(stats.sem(list(values.values())), 1e-300)
    )
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_interval_of_one_seed_is_its_bootstrap() -> None:
    found = over_seeds(Measured({0: 0.5}, {0: 0.45}, {0: 0.6}))
    assert (found.low, found.high, found.n) == (pytest.approx(0.45), pytest.approx(0.6), 1)
    resamples = np.random.default_rng(0).normal(0.5, 0.02, 999)
    drawn = over_seeds(Measured({0: 0.5}, resamples=resamples))
    assert (drawn.low, drawn.high) == (
        pytest.approx(np.percentile(resamples, 2.5)),
        pytest.approx(np.percentile(resamples, 97.5)),
    )


def test_images_and_seeds_add_in_quadrature() -> None:
    values: dict[int | None, float] = {0: 0.4, 1: 0.44}
    found = over_seeds(Measured(values, {0: 0.37, 1: 0.41}, {0: 0.43, 1: 0.47}))
    seeds = stats.t.ppf(0.975, 1) * stats.sem([0.4, 0.44])
    assert found.half == pytest.approx(math.hypot(0.03, seeds))


@settings(deadline=None)
@given(seeded, seeded)
def test_a_difference_is_paired_by_seed(row: dict[int | None, float], other: dict[int | None, float]) -> None:
    found = difference(Measured(row), Measured(other))
    common = sorted(set(row) & set(other))  # type: ignore[type-var]
    if len(common) > 1:
        pairs = [row[seed] - other[seed] for seed in common]
        assert found.value == pytest.approx(np.mean(pairs))
        assert found.half == pytest.approx(stats.t.ppf(0.975, len(pairs) - 1) * stats.sem(pairs), abs=1e-12)
    elif not common:
        assert found.value == pytest.approx(np.mean(list(row.values())) - np.mean(list(other.values())))


def test_a_difference_is_paired_by_image_within_a_draw_only() -> None:
    rng = np.random.default_rng(1)
    shared = rng.normal(0, 0.05, 2000)
    row = Measured({0: 0.52}, resamples=0.52 + shared + rng.normal(0, 0.001, 2000), draw="x")
    other = Measured({0: 0.50}, resamples=0.50 + shared, draw="x")
    paired = difference(row, other)
    assert paired.clear
    assert row.resamples is not None
    assert other.resamples is not None
    assert paired.low == pytest.approx(np.percentile(row.resamples - other.resamples, 2.5))
    stranger = difference(row, Measured({0: 0.50}, resamples=other.resamples, draw="y"))
    assert not stranger.clear


def test_what_the_judge_found_goes_before_what_is_derived() -> None:
    row, other = (Measured({0: v}, {0: v - 0.1}, {0: v + 0.1}) for v in (0.6, 0.5))
    found = difference(row, other, Measured({0: 0.1}, {0: 0.08}, {0: 0.15}))
    assert (found.low, found.high) == (pytest.approx(0.08), pytest.approx(0.15))


def test_nothing_known_of_uncertainty_gives_no_interval() -> None:
    found = difference(Measured({0: 0.6}), Measured({0: 0.5}))
    assert (found.value, found.low, found.high) == (pytest.approx(0.1), None, None)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 4), st.sampled_from([1, -1]), st.booleans())
def test_ranking_all_pairs_at_once_is_the_difference_of_each_pair(
    seed: int, rows: int, seeds: int, better: int, drawn: bool
) -> None:
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(rows):
        mean = rng.normal(0.4, 0.01)
        values: dict[int | None, float] = {s: mean + rng.normal(0, 0.003) for s in range(seeds) if rng.random() < 0.9}
        values = values or {0: mean}
        center = float(np.mean(list(values.values())))
        resamples = center + rng.normal(0, 0.004, 200) if drawn and rng.random() < 0.8 else None
        made.append(Measured(values, resamples=resamples, draw="same"))
    found = clearly_better(made, better)
    for i, j in itertools.permutations(range(rows), 2):
        common = set(made[i].values) & set(made[j].values)
        pair = difference(made[i], made[j])
        if made[i].mean - made[j].mean != pytest.approx(pair.value) or len(common) == 1 < seeds:
            continue
        if pair.low is None or pair.high is None:
            assert found[i, j] == (better * pair.value > 0)
        else:
            assert found[i, j] == ((pair.low if better > 0 else -pair.high) > 0)
