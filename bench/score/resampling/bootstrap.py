"""Paired bootstrap over images, and over seeds where a row has several: intervals for metrics and for differences.

Every resample draws as many images as there are, with replacement, the same for all rows; where a row has several
seeds it draws as many of these too. Draw i depends on the seed and i alone, not on the number of threads.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from bench.config.suggest import remedy
from bench.errors import UserError
from bench.score.resampling.statistics import Statistics
from bench.score.scores import Scores
from bench.score.tables.ground_truth import GroundTruth

Method = Literal["percentile", "bca"]
JACKKNIFE_GROUPS = 100
"""BCa's acceleration is estimated by leaving out one of so many groups of images at a time"""


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float
    level: float
    method: Method
    resamples: int
    p: float
    """two-sided: how easily resampling crosses zero; of use for differences"""

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Samples:
    """One number and what it became in every resample, and without each group of images."""

    value: float
    resampled: np.ndarray
    left_out: np.ndarray

    def interval(self, level: float = 0.95, method: Method = "percentile") -> Interval:
        draws = self.resampled[np.isfinite(self.resampled)]
        if not len(draws) or not np.isfinite(self.value):
            return Interval(self.value, float("nan"), float("nan"), level, method, 0, float("nan"))
        tails = np.array([(1 - level) / 2, (1 + level) / 2])
        if method == "bca":
            if not len(self.left_out):
                raise ValueError("method: a BCa interval needs the jackknife; resample with jackknife=True")
            tails = _corrected(tails, self.value, draws, self.left_out)
        low, high = np.quantile(draws, tails)
        return Interval(self.value, float(low), float(high), level, method, len(draws), _p(draws))

    def minus(self, other: "Samples") -> "Samples":
        return Samples(self.value - other.value, self.resampled - other.resampled, self.left_out - other.left_out)


@dataclass(frozen=True)
class Resampled:
    """Rows under the same resamples."""

    samples: Mapping[str, Mapping[str, Samples]]
    """row -> metric -> samples"""

    def of(self, row: str, metric: str) -> Samples:
        if row not in self.samples:
            raise UserError(f"no row is called {row!r}", remedy=remedy(row, self.samples))
        if metric not in self.samples[row]:
            raise UserError(f"{metric!r} was not resampled", remedy=remedy(metric, self.samples[row]))
        return self.samples[row][metric]

    def difference(self, a: str, b: str, metric: str) -> Samples:
        return self.of(a, metric).minus(self.of(b, metric))


def resample(
    rows: Mapping[str, Sequence[Scores]],
    metrics: Sequence[str] = ("AP",),
    *,
    resamples: int = 1000,
    seed: int = 0,
    strata: np.ndarray | None = None,
    threads: int = 2,
    jackknife: bool = True,
) -> Resampled:
    """`rows` maps a name to its evaluations, one a seed, all on the same images.

    `strata` numbers the stratum of every image; a BCa interval needs the `jackknife`.
    """
    statistics = {name: [Statistics(scores) for scores in seeds] for name, seeds in rows.items()}
    num_images = _same_images(statistics)
    for seeds in statistics.values():
        for one in seeds:
            one.check(metrics)
    everyone = np.ones(num_images, np.int64)
    table = {name: [one.values(everyone, metrics) for one in seeds] for name, seeds in statistics.items()}

    def draw(number: int) -> dict[str, dict[str, float]]:
        rng = np.random.default_rng([seed, number])
        weights = _draw(rng, num_images, strata)
        return {name: _mean_over_seeds(rng, seeds, weights, metrics) for name, seeds in statistics.items()}

    def leave_out(group: int) -> dict[str, dict[str, float]]:
        weights = (np.arange(num_images) % groups != group).astype(np.int64)
        return {name: _mean([s.values(weights, metrics) for s in seeds]) for name, seeds in statistics.items()}

    groups = min(num_images, JACKKNIFE_GROUPS) if jackknife else 0
    with ThreadPoolExecutor(threads) as pool:
        drawn = list(pool.map(draw, range(resamples)))
        left = list(pool.map(leave_out, range(groups)))
    return Resampled({name: _collect(name, _mean(table[name]), drawn, left) for name in rows})


def strata_by_rarest_class(truth: GroundTruth) -> np.ndarray:
    """One stratum a class, of the images in which it is the rarest, and one of images without objects."""
    frequency = np.bincount(truth.labels, minlength=truth.num_classes)
    place = np.argsort(np.argsort(frequency, kind="stable"), kind="stable")
    rarest = np.full(truth.num_images, truth.num_classes)
    np.minimum.at(rarest, truth.image, place[truth.labels])
    return rarest


def _draw(rng: np.random.Generator, num_images: int, strata: np.ndarray | None) -> np.ndarray:
    """[I] how often each image is there."""
    if strata is None:
        return np.bincount(rng.integers(0, num_images, num_images), minlength=num_images)
    weights = np.zeros(num_images, np.int64)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        weights[members] = np.bincount(rng.integers(0, len(members), len(members)), minlength=len(members))
    return weights


def _mean_over_seeds(
    rng: np.random.Generator, seeds: list[Statistics], weights: np.ndarray, metrics: Sequence[str]
) -> dict[str, float]:
    if len(seeds) == 1:
        return seeds[0].values(weights, metrics)
    picked, times = np.unique(rng.integers(0, len(seeds), len(seeds)), return_counts=True)
    found = [seeds[i].values(weights, metrics) for i in picked]
    return {name: float(np.average([f[name] for f in found], weights=times)) for name in metrics}


def _mean(tables: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([table[name] for table in tables])) for name in tables[0]}


def _collect(
    row: str,
    values: dict[str, float],
    drawn: list[dict[str, dict[str, float]]],
    left: list[dict[str, dict[str, float]]],
) -> dict[str, Samples]:
    return {
        metric: Samples(value, np.array([d[row][metric] for d in drawn]), np.array([one[row][metric] for one in left]))
        for metric, value in values.items()
    }


def _same_images(statistics: Mapping[str, list[Statistics]]) -> int:
    counts = {one.num_images for seeds in statistics.values() for one in seeds}
    if len(counts) != 1:
        raise UserError(
            f"the rows are on different images ({', '.join(map(str, sorted(counts)))})",
            remedy="compare detections for the same data",
        )
    return counts.pop()


def _corrected(tails: np.ndarray, value: float, draws: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """The tails of the bias-corrected and accelerated interval."""
    normal = NormalDist()
    below = np.clip(((draws < value).sum() + (draws == value).sum() / 2) / len(draws), 0.5 / len(draws), None)
    bias = normal.inv_cdf(min(float(below), 1 - 0.5 / len(draws)))
    away = np.nanmean(left_out) - left_out
    spread = np.nansum(away**2) ** 1.5
    acceleration = float(np.nansum(away**3) / (6 * spread)) if spread > 0 else 0.0
    z = np.array([normal.inv_cdf(float(tail)) for tail in tails]) + bias
    shifted = bias + z / (1 - acceleration * z)
    return np.array([normal.cdf(float(point)) for point in shifted])


def _p(draws: np.ndarray) -> float:
    crossings = min((draws <= 0).sum(), (draws >= 0).sum())
    return float(min(1.0, 2 * (1 + crossings) / (len(draws) + 1)))
