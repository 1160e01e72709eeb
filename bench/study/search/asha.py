"""Asynchronous successive halving (Li et al., "A System for Massively Parallel Hyperparameter Tuning").

A trial goes on as soon as it is among the best of those of its rung that have ended so far. Nothing waits for the
slowest of a rung; what goes on depends on who ends first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.study.search.halving import shares_of_rungs
from bench.study.search.trial import UNDER_WAY, Searcher, Told, Trial, Values, ranking


class AshaSearcher(Searcher):
    """`at_once` trials are under way: one in `keep` of a rung that may go on, or else a new draw."""

    waits = False

    def __init__(
        self, values: Iterable[Values], metric: str, goal: str, *, rungs: int, keep: int, at_once: int
    ) -> None:
        self._metric, self._goal, self._keep, self._at_once = metric, goal, keep, at_once
        self._shares = shares_of_rungs(rungs, keep)
        self._draws = [Trial(one, until=self._shares[0]) for one in values]

    def next(self, told: Sequence[Told]) -> list[Trial]:
        under_way = sum(result is UNDER_WAY for _, result in told)
        started = sum(trial.after is None for trial, _ in told)
        wanted = [*self._promotions(told), *self._draws[started:]]
        if wanted or under_way:
            return wanted[: self._at_once - under_way]
        if any(trial.until == self._shares[-1] for trial, _ in told):
            return []
        # So few trials that no rung had `keep` of them: the best goes on, so that one at least is trained to the end.
        return self._promotions(told, at_least=1)[:1]

    def _promotions(self, told: Sequence[Told], at_least: int = 0) -> list[Trial]:
        """Of the highest rung first, the best of each first."""
        gone_on = {trial.after for trial, _ in told}
        found: list[Trial] = []
        for share, longer in reversed(list(zip(self._shares, self._shares[1:], strict=False))):
            ended = [i for i, (trial, result) in enumerate(told) if trial.until == share and result is not UNDER_WAY]
            ranked = ranking([told[i] for i in ended], self._metric, self._goal)
            best = [ended[place] for place in ranked[: max(at_least, len(ended) // self._keep)]]
            found += [replace(told[i][0], until=longer, after=i) for i in best if i not in gone_on]
        return found
