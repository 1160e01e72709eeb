"""What a study tries on one of its rows besides the settings that it names: a grid, random draws, or Optuna's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

from bench.config.tree import ConfigError, from_tree
from bench.errors import UserError
from bench.train.config import Whole
from detectors.config import Count

Values = dict[str, Any]
"""One value a key of the space."""
Goal = Literal["max", "min"]


@dataclass(frozen=True, kw_only=True)
class Range:
    """Any number between two; `log` for scales, `whole` for counts."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"low: {self.low} should be below high: {self.high}, and above 0 if log")


@dataclass(frozen=True, kw_only=True)
class Search:
    """`space` maps settings to a list of values or to `{low, high, log, whole}`. Post settings never train."""

    row: str
    space: dict[str, Any]
    method: Literal["grid", "random", "optuna"] = "grid"
    trials: Count = 20
    """Of random and optuna; a grid has as many as it has."""
    at_once: Count = 4
    """How many optuna proposes before it hears of their results; the proposals depend on it."""
    seed: Whole = 0
    goal: dict[str, Goal] = field(default_factory=lambda: {"AP": "max"})
    """What optuna works towards; several are a search for the best compromises."""

    def __post_init__(self) -> None:
        if not self.space or not self.goal:
            raise ValueError("search needs a space and a goal")
        for key, option in self.options().items():
            if self.method == "grid" and isinstance(option, Range):
                raise ValueError(f"space: a grid needs a list of values for {key}; or use method: random")

    def options(self) -> dict[str, list[Any] | Range]:
        return {key: _option(key, value) for key, value in self.space.items()}

    def searcher(self) -> "Searcher":
        if self.method == "optuna":
            return OptunaSearcher(self)
        return ListedSearcher(_grid(self) if self.method == "grid" else _draws(self))


class Searcher:
    """Proposes values until it has none left. The same results bring the same proposals: a search can be resumed."""

    def next(self, results: Sequence[tuple[Values, Mapping[str, float] | None]]) -> list[Values]:
        """What to try after these results; None stands for a trial that failed."""
        raise NotImplementedError


class ListedSearcher(Searcher):
    """Knows from the start what to try."""

    def __init__(self, trials: Iterator[Values]) -> None:
        self._trials = list(trials)

    def next(self, results: Sequence[tuple[Values, Mapping[str, float] | None]]) -> list[Values]:
        return self._trials[len(results) :]


class OptunaSearcher(Searcher):
    """TPE, or for several goals its multi-objective form; each call replays the whole story, so that it holds none."""

    def __init__(self, search: Search) -> None:
        self._search = search

    def next(self, results: Sequence[tuple[Values, Mapping[str, float] | None]]) -> list[Values]:
        search, optuna = self._search, _optuna()
        sampler = optuna.samplers.TPESampler(seed=search.seed, n_startup_trials=min(10, search.trials // 2 + 1))
        study = optuna.create_study(sampler=sampler, directions=[f"{goal}imize" for goal in search.goal.values()])
        for start in range(0, len(results), search.at_once):
            told = results[start : start + search.at_once]
            asked = [self._ask(study) for _ in told]
            for (trial, _), (_, metrics) in zip(asked, told, strict=True):
                reached = None if metrics is None else [metrics.get(name) for name in search.goal]
                failed = reached is None or None in reached
                study.tell(trial, None if failed else reached, state=_state(optuna, failed))
        left = min(search.at_once, search.trials - len(results))
        return [self._ask(study)[1] for _ in range(left)]

    def _ask(self, study: Any) -> tuple[Any, Values]:
        trial = study.ask()
        return trial, {key: _suggest(trial, key, option) for key, option in self._search.options().items()}


def label(values: Values) -> str:
    """`sigma=0.01, lr=0.02`: what a trial's row is called after its row's name."""
    last = [key.rpartition(".")[2] for key in values]
    names = last if len(set(last)) == len(last) else list(values)
    return ", ".join(f"{name}={_short(value)}" for name, value in zip(names, values.values(), strict=True))


def _option(key: str, value: Any) -> list[Any] | Range:
    if isinstance(value, list) and value:
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"space: {key} should be a list of values or {{low, high}}, not {value!r}")
    try:
        return from_tree(Range, value)
    except ConfigError as error:
        raise ValueError(f"space: {key}: {error}") from error


def _grid(search: Search) -> Iterator[Values]:
    lists = {key: option for key, option in search.options().items() if isinstance(option, list)}
    for values in product(*lists.values()):
        yield dict(zip(lists, values, strict=True))


def _draws(search: Search) -> Iterator[Values]:
    from random import Random

    random = Random(search.seed)
    for _ in range(search.trials):
        yield {key: _draw(random, option) for key, option in search.options().items()}


def _draw(random: Any, option: list[Any] | Range) -> Any:
    if isinstance(option, list):
        return random.choice(option)
    share = random.random()
    if option.log:
        value = option.low * (option.high / option.low) ** share
    else:
        value = option.low + (option.high - option.low) * share
    return round(value) if option.whole else value


def _suggest(trial: Any, key: str, option: list[Any] | Range) -> Any:
    if isinstance(option, list):
        return option[trial.suggest_categorical(key, list(range(len(option))))]
    if option.whole:
        return trial.suggest_int(key, round(option.low), round(option.high), log=option.log)
    return trial.suggest_float(key, option.low, option.high, log=option.log)


def _state(optuna: Any, failed: bool) -> Any:
    return optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        remedy = "install locbench[optuna], or use method: random"
        raise UserError("optuna is not installed", where="search.method", remedy=remedy) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
