"""Optuna's TPE, or for several goals its multi-objective form."""

from collections.abc import Sequence
from typing import Any

from bench.errors import UserError
from bench.study.search.space import Option, Space
from bench.study.search.trial import Searcher, Told, Trial


class OptunaSearcher(Searcher):
    """Each call replays the whole story, so that it holds none."""

    def __init__(self, space: Space, goals: dict[str, str], *, trials: int, at_once: int, seed: int) -> None:
        self._space, self._goals, self._trials, self._at_once, self._seed = space, goals, trials, at_once, seed

    def next(self, told: Sequence[Told]) -> list[Trial]:
        optuna = _optuna()
        sampler = optuna.samplers.TPESampler(seed=self._seed, n_startup_trials=min(10, self._trials // 2 + 1))
        directions = [f"{goal}imize" for goal in self._goals.values()]
        study = optuna.create_study(sampler=sampler, directions=directions)
        for start in range(0, len(told), self._at_once):
            round_of = told[start : start + self._at_once]
            asked = [self._ask(study) for _ in round_of]
            for (trial, _), (_, metrics) in zip(asked, round_of, strict=True):
                reached = None if metrics is None else [metrics.get(name) for name in self._goals]
                failed = reached is None or None in reached
                study.tell(trial, None if failed else reached, state=_state(optuna, failed))
        left = min(self._at_once, self._trials - len(told))
        return [self._ask(study)[1] for _ in range(left)]

    def _ask(self, study: Any) -> tuple[Any, Trial]:
        trial = study.ask()
        return trial, Trial({key: _suggest(trial, key, option) for key, option in self._space.items()})


def _suggest(trial: Any, key: str, option: Option) -> Any:
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
