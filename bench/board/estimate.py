"""Means over seeds and their intervals, and who can be told apart.

Two things make a number uncertain: which images were drawn (the bootstrap says how much) and which seed trained it
(Student's t over seeds says how much). The two are independent, so their half-widths add in quadrature.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]

from bench.board.board import Estimate

NORMAL = 1.959964
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """One metric of one row: a value a seed, the ends of its bootstrap interval, and its bootstrap resamples."""

    values: Mapping[int | None, float]
    lows: Mapping[int | None, float] = field(default_factory=dict)
    highs: Mapping[int | None, float] = field(default_factory=dict)
    resamples: Array | None = None
    """the metric on the same resampled images for every row, averaged over the row's seeds"""

    @property
    def mean(self) -> float:
        return mean(list(self.values.values()))

    def image_halves(self) -> tuple[float, float] | None:
        """How far the interval over images reaches below and above, averaged over seeds."""
        seeds = [seed for seed in self.values if seed in self.lows and seed in self.highs]
        if not seeds:
            return None
        below = mean([self.values[seed] - self.lows[seed] for seed in seeds])
        above = mean([self.highs[seed] - self.values[seed] for seed in seeds])
        return below, above


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def seed_half(values: Sequence[float]) -> float | None:
    """Half the 95 % interval of a mean over seeds; None for a single seed, which says nothing of others."""
    if len(values) < 2:
        return None
    return float(stdtrit(len(values) - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(len(values)))


def interval(value: float, n: int, images: tuple[float, float] | None, seeds: float | None) -> Estimate:
    if images is None and seeds is None:
        return Estimate(value, n=n)
    below, above = images or (0.0, 0.0)
    return Estimate(value, value - math.hypot(below, seeds or 0.0), value + math.hypot(above, seeds or 0.0), n)


def over_seeds(measured: Measured) -> Estimate:
    values = list(measured.values.values())
    return interval(measured.mean, len(values), measured.image_halves(), seed_half(values))


def difference(row: Measured, other: Measured, judged: Measured | None = None) -> Estimate:
    """Row minus other, paired by seed and by image. `judged` is the paired bootstrap that the study's judge made."""
    common = [seed for seed in row.values if seed in other.values]
    pairs = [row.values[seed] - other.values[seed] for seed in common]
    value = mean(pairs) if pairs else row.mean - other.mean
    images = judged.image_halves() if judged else None
    if images is None:
        half = _image_half(row, other)
        images = None if half is None else (half, half)
    seeds = seed_half(pairs) if pairs else _unpaired_seed_half(row, other)
    return interval(value, len(pairs), images, seeds)


def _unpaired_seed_half(row: Measured, other: Measured) -> float | None:
    halves = [seed_half(list(one.values.values())) for one in (row, other)]
    return None if None in halves else math.hypot(*(half or 0.0 for half in halves))


def _image_half(row: Measured, other: Measured) -> float | None:
    if row.resamples is not None and other.resamples is not None and row.resamples.shape == other.resamples.shape:
        return NORMAL * float(np.std(row.resamples - other.resamples, ddof=1))
    halves = (row.image_halves(), other.image_halves())
    if halves[0] is None or halves[1] is None:
        return None
    return math.hypot(sum(halves[0]) / 2, sum(halves[1]) / 2)


def clearly_better(rows: Sequence[Measured], better: int) -> NDArray[np.bool_]:
    """[i, j]: row i is better than row j, and the interval of their difference leaves zero out.

    Where nothing is known of the uncertainty of a pair, the order of the means decides.
    """
    means = np.array([row.mean for row in rows]) * better
    seeds = _seed_halves(rows)
    images = _image_halves(rows)
    half = np.sqrt(np.nan_to_num(seeds) ** 2 + np.nan_to_num(images) ** 2)
    return means[:, None] - means[None, :] > half


def _seed_halves(rows: Sequence[Measured]) -> Array:
    """[i, j]: half the interval over seeds of the difference, paired by seed."""
    seeds = sorted({seed for row in rows for seed in row.values}, key=str)
    values = np.array([[row.values.get(seed, math.nan) for seed in seeds] for row in rows])
    halves = np.full((len(rows), len(rows)), math.nan)
    for index, own in enumerate(values):
        pairs = own - values
        count = np.sum(~np.isnan(pairs), axis=1)
        enough = count > 1
        spread = np.sqrt(np.nansum((pairs - _mean(pairs)[:, None]) ** 2, axis=1) / np.maximum(count - 1, 1))
        halves[index, enough] = (stdtrit(np.maximum(count - 1, 1), 0.975) * spread / np.sqrt(np.maximum(count, 1)))[
            enough
        ]
    return halves


def _mean(pairs: Array) -> Array:
    return np.nansum(pairs, axis=1) / np.maximum(np.sum(~np.isnan(pairs), axis=1), 1)


def _image_halves(rows: Sequence[Measured]) -> Array:
    """[i, j]: half the interval over images of the difference; paired where both have resamples of the same images."""
    own = np.array([sum(row.image_halves() or (math.nan, math.nan)) / 2 for row in rows])
    halves = np.hypot(own[:, None], own[None, :])
    shape = next((row.resamples.shape for row in rows if row.resamples is not None), None)
    paired = [i for i, row in enumerate(rows) if row.resamples is not None and row.resamples.shape == shape]
    if len(paired) > 1:
        covariance = np.cov(np.array([rows[i].resamples for i in paired]))
        variance = np.diag(covariance)[:, None] + np.diag(covariance)[None, :] - 2 * covariance
        halves[np.ix_(paired, paired)] = NORMAL * np.sqrt(np.maximum(variance, 0.0))
    return halves
