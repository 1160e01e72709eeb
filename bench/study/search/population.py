"""Population-based training: members train side by side; now and then the worst go on from copies of the best, with
settings a little different. What is found is a course of settings over the training, not one value of each."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from bench.study.search.space import Option, Space, draw
from bench.study.search.trial import Searcher, Told, Trial, Values, ranking

FACTORS = (0.8, 1.25)
DRAWN_ANEW = 0.25
"""How often a setting of a copy is drawn from the whole space instead of moved a little."""
COPIED = 4
"""One in so many members is replaced, and so many are copied."""
FIXED = ("data", "input", "train.batch_size", "train.epochs", "train.iterations", "train.weights", "train.ema_decay")
"""Settings that one member cannot take over from another in the middle of a training."""


class PopulationSearcher(Searcher):
    """The same results bring the same copies and the same moves."""

    def __init__(
        self, space: Space, members: Iterable[Values], metric: str, goal: str, *, rungs: int, seed: int
    ) -> None:
        self._space, self._metric, self._goal, self._rungs, self._seed = space, metric, goal, rungs, seed
        self._first = [Trial(one, f"member {i + 1}", 1 / rungs) for i, one in enumerate(members)]

    def next(self, told: Sequence[Told]) -> list[Trial]:
        if not told:
            return self._first
        start = len(told) - len(self._first)
        rung = len(told) // len(self._first)
        ranked = ranking(told[start:], self._metric, self._goal)
        if rung == self._rungs or not ranked:
            return []
        random = Random(f"{self._seed} {rung}")
        some = max(1, len(self._first) // COPIED)
        weak = {i for i in range(len(self._first)) if i not in ranked} | set(ranked[some:][-some:])
        until = (rung + 1) / self._rungs
        members = []
        for i in range(len(self._first)):
            source = random.choice(ranked[:some]) if i in weak else i
            values = told[start + source][0].values
            values = self._moved(random, values) if i in weak else values
            members.append(replace(self._first[i], values=values, until=until, after=start + source))
        return members

    def _moved(self, random: Random, values: Values) -> Values:
        return {key: _moved(random, self._space[key], value) for key, value in values.items()}


def _moved(random: Random, option: Option, value: Any) -> Any:
    if random.random() < DRAWN_ANEW:
        return draw(random, option)
    if isinstance(option, list):
        place = option.index(value) + random.choice((-1, 1))
        return option[min(max(place, 0), len(option) - 1)]
    return option.nearest(value * random.choice(FACTORS))
