"""`search` of a study file, checked, and the searcher that it asks for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.study.search.asha import AshaSearcher
from bench.study.search.halving import HalvingSearcher
from bench.study.search.listed import ListedSearcher
from bench.study.search.population import FIXED, PopulationSearcher
from bench.study.search.space import Range, Space, draws, every_combination, space_of
from bench.study.search.tpe import OptunaSearcher
from bench.study.search.trial import Searcher
from bench.train.config import Whole
from detectors.config import Count

Goal = Literal["max", "min"]


@dataclass(frozen=True, kw_only=True)
class Search:
    """`space` maps settings to a list of values or to `{low, high, log, whole}`. Post settings never train."""

    row: str
    space: dict[str, Any]
    method: Literal["grid", "random", "optuna", "halving", "asha", "population"] = "grid"
    trials: Count = 20
    """A grid has as many as it has; of halving and asha those that start, of a population its members."""
    at_once: Count = 4
    """How many optuna proposes before it hears of their results; of asha, how many are under way. Both depend on it."""
    rungs: Count = 3
    """How often halving, asha and population look, the end of the training included."""
    keep: Count = 3
    """Halving and asha let one in so many go on."""
    seed: Whole = 0
    goal: dict[str, Goal] = field(default_factory=lambda: {"AP": "max"})
    """What is looked for; several, which only optuna can, are a search for the best compromises."""

    def __post_init__(self) -> None:
        if not self.space or not self.goal:
            raise ValueError("search needs a space and a goal")
        space = space_of(self.space)
        if "train.until" in space:
            raise ValueError("space: how long a trial trains is the search's to say, not train.until's")
        if self.method == "grid":
            _refuse(space, lambda key: isinstance(space[key], Range), "a grid needs a list of values for {}")
        if self.method == "population":
            _refuse(space, _is_fixed, "a population cannot change {} in the middle of a training")
        if self.method in ("halving", "asha", "population"):
            self._check_rungs()

    def _check_rungs(self) -> None:
        if len(self.goal) > 1:
            raise ValueError(f"goal: {self.method} looks at one metric; optuna at several")
        if min(self.rungs, self.trials, self.keep) < 2:
            raise ValueError(f"{self.method} needs at least 2 trials and rungs, and to keep at most every second trial")

    def searcher(self) -> Searcher:
        space, (metric, goal) = space_of(self.space), next(iter(self.goal.items()))
        if self.method == "grid":
            return ListedSearcher(every_combination(space))
        if self.method == "optuna":
            return OptunaSearcher(space, dict(self.goal), trials=self.trials, at_once=self.at_once, seed=self.seed)
        drawn = draws(space, self.trials, self.seed)
        if self.method == "halving":
            return HalvingSearcher(drawn, metric, goal, rungs=self.rungs, keep=self.keep)
        if self.method == "asha":
            return AshaSearcher(drawn, metric, goal, rungs=self.rungs, keep=self.keep, at_once=self.at_once)
        if self.method == "population":
            return PopulationSearcher(space, drawn, metric, goal, rungs=self.rungs, seed=self.seed)
        return ListedSearcher(drawn)


def _refuse(space: Space, wrong: Callable[[str], bool], what: str) -> None:
    for key in space:
        if wrong(key):
            raise ValueError(f"space: {what.format(key)}; or use method: random")


def _is_fixed(key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in FIXED)
