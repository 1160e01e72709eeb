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

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """One metric of one row: a value a seed, the ends of its bootstrap interval, and its bootstrap resamples."""

    values: Mapping[int | None, float]
    lows: Mapping[int | None, float] = field(default_factory=dict)
    highs: Mapping[int | None, float] = field(default_factory=dict)
    resamples: Array | None = None
    """the metric on resampled images, averaged over the row's seeds"""
    draw: str = ""
    """rows of the same draw were resampled on the same images"""

    @property
    def mean(self) -> float:
        return mean(list(self.values.values()))

    def image_reach(self) -> tuple[float, float] | None:
        """How far the interval over images reaches below and above: as told, averaged over seeds, or as drawn."""
        seeds = [seed for seed in self.values if seed in self.lows and seed in self.highs]
        if seeds:
            below = mean([self.values[seed] - self.lows[seed] for seed in seeds])
            return below, mean([self.highs[seed] - self.values[seed] for seed in seeds])
        return None if self.resamples is None else reach(self.mean, self.resamples)


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def reach(value: float, resamples: Array) -> tuple[float, float]:
    """From a value to the ends of the percentile interval of its resamples."""
    low, high = np.quantile(resamples, (0.025, 0.975))
    return max(value - float(low), 0.0), max(float(high) - value, 0.0)


def seed_half(values: Sequence[float]) -> float | None:
    """Half the 95 % interval of a mean over seeds; None for a single seed, which says nothing of others."""
    count = len(values)
    if count < 2:
        return None
    middle = mean(values)
    variance = math.fsum((value - middle) ** 2 for value in values) / (count - 1)
    return float(stdtrit(count - 1, 0.975)) * math.sqrt(variance / count)


def interval(value: float, n: int, images: tuple[float, float] | None, seeds: float | None) -> Estimate:
    if images is None and seeds is None:
        return Estimate(value, n=n)
    below, above = images or (0.0, 0.0)
    return Estimate(value, value - math.hypot(below, seeds or 0.0), value + math.hypot(above, seeds or 0.0), n)


def over_seeds(measured: Measured) -> Estimate:
    values = list(measured.values.values())
    return interval(measured.mean, len(values), measured.image_reach(), seed_half(values))


def difference(row: Measured, other: Measured, judged: Measured | None = None) -> Estimate:
    """Row minus other, paired by seed and by image. `judged` is the paired bootstrap that the study's judge made."""
    common = [seed for seed in row.values if seed in other.values]
    pairs = [row.values[seed] - other.values[seed] for seed in common]
    value = mean(pairs) if pairs else row.mean - other.mean
    images = (judged and judged.image_reach()) or _image_reach(value, row, other)
    seeds = seed_half(pairs) if pairs else _unpaired_seed_half(row, other)
    return interval(value, len(pairs), images, seeds)


def _unpaired_seed_half(row: Measured, other: Measured) -> float | None:
    halves = [seed_half(list(one.values.values())) for one in (row, other)]
    return None if None in halves else math.hypot(*(half or 0.0 for half in halves))


def _image_reach(value: float, row: Measured, other: Measured) -> tuple[float, float] | None:
    """Paired where both were resampled on the same images; otherwise as if their images were different ones."""
    if row.resamples is not None and other.resamples is not None and row.draw == other.draw:
        return reach(value, row.resamples - other.resamples)
    own, others = row.image_reach(), other.image_reach()
    if own is None or others is None:
        return None
    return math.hypot(own[0], others[1]), math.hypot(own[1], others[0])
