"""Two rows side by side: the difference of each metric with its interval, and how it was made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.score.resampling.bootstrap import Interval, Method, resample, strata_by_rarest_class
from bench.score.scores import Scores


@dataclass(frozen=True)
class Comparison:
    """b less a."""

    metric: str
    a: Interval
    b: Interval
    difference: Interval

    @property
    def verdict(self) -> Literal["better", "worse", "undecided"]:
        """Of b against a, for a metric of which more is better."""
        if not self.difference.excludes_zero:
            return "undecided"
        return "better" if self.difference.value > 0 else "worse"

    def line(self) -> str:
        d = self.difference
        return (
            f"{self.metric}: {self.a.value:.4f} -> {self.b.value:.4f}, difference {d.value:+.4f} "
            f"[{d.low:+.4f}, {d.high:+.4f}] ({d.level:.0%} {d.method}, {d.resamples} resamples), p = {d.p:.3g}"
        )


def compare(
    a: Scores | Sequence[Scores],
    b: Scores | Sequence[Scores],
    metrics: Sequence[str] = ("AP", "AP50", "AP75", "AP90"),
    *,
    level: float = 0.95,
    method: Method = "percentile",
    resamples: int = 1000,
    seed: int = 0,
    stratified: bool = False,
    threads: int = 2,
) -> list[Comparison]:
    """Paired over images; give several evaluations, one a seed, to draw seeds as well."""
    rows = {"a": [a] if isinstance(a, Scores) else list(a), "b": [b] if isinstance(b, Scores) else list(b)}
    strata = strata_by_rarest_class(rows["a"][0].truth) if stratified else None
    drawn = resample(rows, metrics, resamples=resamples, seed=seed, strata=strata, threads=threads)
    return [
        Comparison(
            metric,
            drawn.of("a", metric).interval(level, method),
            drawn.of("b", metric).interval(level, method),
            drawn.difference("b", "a", metric).interval(level, method),
        )
        for metric in metrics
    ]
