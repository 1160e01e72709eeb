"""What a search proposes, and what proposes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

Values = dict[str, Any]
"""One value a key of the space."""


@dataclass(frozen=True)
class Trial:
    """Values to try, perhaps for a part of the training only, perhaps from where another trial has come to."""

    values: Values
    name: str = ""
    """Of its row, after the name of the row that is searched; without one its values."""
    until: float = 1.0
    after: int | None = None
    """Which of the proposals before, counted from 0, this one goes on from."""

    @property
    def label(self) -> str:
        return self.name or label(self.values)


UNDER_WAY: Mapping[str, float] = MappingProxyType({})
"""What a trial has come to that has not ended; only searchers that do not wait are told of such."""

Told = tuple[Trial, Mapping[str, float] | None]
"""A trial and what it came to: None where it failed."""


class Searcher:
    """Proposes trials until it has none left. The same results bring the same proposals: a search can be resumed."""

    waits = True
    """Until all that it proposed has ended; one that does not is asked again after each trial that ends."""

    def next(self, told: Sequence[Told]) -> list[Trial]:
        """What to try after all that was proposed so far."""
        raise NotImplementedError


def label(values: Values) -> str:
    """`sigma=0.01, lr=0.02`: what a trial's row is called after its row's name."""
    last = [key.rpartition(".")[2] for key in values]
    names = last if len(set(last)) == len(last) else list(values)
    return ", ".join(f"{name}={_short(value)}" for name, value in zip(names, values.values(), strict=True))


def ranking(told: Sequence[Told], metric: str, goal: str) -> list[int]:
    """Which of them did best, the best first; those that failed are left out."""
    sign = -1 if goal == "max" else 1
    reached = [(i, metrics[metric]) for i, (_, metrics) in enumerate(told) if metrics is not None and metric in metrics]
    return [i for i, _ in sorted(reached, key=lambda one: sign * one[1])]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
