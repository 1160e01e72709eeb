"""Successive halving: all trials train for a while, the best of them for longer, the best of those to the end.

Each rung waits for all its trials before it chooses. ASHA (`asha.py`) does not wait, and so its choice depends on which
trial happens to come first; here the same search stops the same trials, on any cluster and after any interruption.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.study.search.trial import Searcher, Told, Trial, Values, ranking


class HalvingSearcher(Searcher):
    """Of each rung one in `keep` trials goes on, for `keep` times as long; the last rung is the whole training."""

    def __init__(self, values: Iterable[Values], metric: str, goal: str, *, rungs: int, keep: int) -> None:
        self._metric, self._goal, self._keep = metric, goal, keep
        self._shares = shares_of_rungs(rungs, keep)
        self._first = [Trial(one, until=self._shares[0]) for one in values]

    def next(self, told: Sequence[Told]) -> list[Trial]:
        if not told:
            return self._first
        rung = self._shares.index(told[-1][0].until)
        if rung + 1 == len(self._shares):
            return []
        start = next(i for i, (trial, _) in enumerate(told) if trial.until == self._shares[rung])
        best = ranking(told[start:], self._metric, self._goal)[: max(1, (len(told) - start) // self._keep)]
        return [replace(told[start + i][0], until=self._shares[rung + 1], after=start + i) for i in sorted(best)]


def shares_of_rungs(rungs: int, keep: int) -> list[float]:
    """How much of the whole training a trial has behind it at the end of each rung."""
    return [float(keep) ** (rung + 1 - rungs) for rung in range(rungs)]
