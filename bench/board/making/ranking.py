"""Who can be told apart from whom: the intervals of `estimate.difference`, for all pairs of rows at once."""

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # type: ignore[import-untyped]

from bench.board.making.estimate import Array, Measured, reach

NORMAL = 1.959964
DOUBTFUL = (0.6, 1.6)
"""between these multiples of its approximate half-width, a difference is judged by its exact interval"""


def clearly_better(rows: Sequence[Measured], better: int) -> NDArray[np.bool_]:
    """[i, j]: row i is better than row j, and the interval of their difference leaves zero out.

    Where nothing is known of the uncertainty of a pair, the order of the means decides.
    """
    means = np.array([row.mean for row in rows]) * better
    ahead = means[:, None] - means[None, :]
    seeds = np.nan_to_num(_seed_halves(rows))
    images = np.nan_to_num(_image_halves(rows))
    half = np.hypot(seeds, images)
    doubtful = (ahead > DOUBTFUL[0] * half) & (ahead < DOUBTFUL[1] * half)
    for i, j in np.argwhere(doubtful):
        below = _exact_reach(rows[i], rows[j], better)
        if below is not None:
            half[i, j] = math.hypot(seeds[i, j], below)
    return ahead > half


def _exact_reach(row: Measured, other: Measured, better: int) -> float | None:
    """How far the interval of the lead reaches towards zero, for rows resampled on the same images."""
    if row.resamples is None or other.resamples is None or row.draw != other.draw:
        return None
    return reach(better * (row.mean - other.mean), better * (row.resamples - other.resamples))[0]


def _seed_halves(rows: Sequence[Measured]) -> Array:
    """[i, j]: half the interval over seeds of the difference, paired by seed; nan where fewer than two are common."""
    seeds = sorted({seed for row in rows for seed in row.values}, key=str)
    values = np.array([[row.values.get(seed, math.nan) for seed in seeds] for row in rows])
    return np.array([_half_over_seeds(own - values) for own in values])


def _half_over_seeds(pairs: Array) -> Array:
    """[n, seeds] differences, nan where a seed is missing -> [n]"""
    count = np.sum(~np.isnan(pairs), axis=1)
    freedom = np.maximum(count - 1, 1)
    middle = np.nansum(pairs, axis=1) / np.maximum(count, 1)
    spread = np.sqrt(np.nansum((pairs - middle[:, None]) ** 2, axis=1) / freedom)
    return np.where(count > 1, stdtrit(freedom, 0.975) * spread / np.sqrt(np.maximum(count, 1)), math.nan)


def _image_halves(rows: Sequence[Measured]) -> Array:
    """[i, j]: about half the interval over images of the difference; paired within a draw; nan where unknown."""
    own = np.array([sum(row.image_reach() or (math.nan, math.nan)) / 2 for row in rows])
    halves = np.hypot(own[:, None], own[None, :])
    draws: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        if row.resamples is not None:
            draws[row.draw].append(index)
    for same in draws.values():
        covariance = np.atleast_2d(np.cov(np.array([rows[index].resamples for index in same])))
        variance = np.diag(covariance)[:, None] + np.diag(covariance)[None, :] - 2 * covariance
        halves[np.ix_(same, same)] = NORMAL * np.sqrt(np.maximum(variance, 0.0))
    return halves
