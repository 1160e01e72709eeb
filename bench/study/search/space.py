"""The values that settings may take: lists of them, or ranges; and how single ones are drawn."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

from bench.config.tree import ConfigError, from_tree
from bench.study.search.trial import Values, label

DRAWS_FOR_EACH = 50
"""So often it is tried to find values that were not drawn before; a space of few values may have no more."""


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

    def nearest(self, value: float) -> float:
        """The value itself, or what the range has instead."""
        inside = min(max(value, self.low), self.high)
        return round(inside) if self.whole else inside


Option = list[Any] | Range
Space = dict[str, Option]


def space_of(tree: Mapping[str, Any]) -> Space:
    return {key: _option(key, value) for key, value in tree.items()}


def every_combination(space: Space) -> Iterator[Values]:
    lists = {key: option for key, option in space.items() if isinstance(option, list)}
    for values in product(*lists.values()):
        yield dict(zip(lists, values, strict=True))


def draws(space: Space, count: int, seed: int) -> list[Values]:
    """So many different ones, or as many as there are."""
    random, found = Random(seed), dict[str, Values]()
    for _ in range(count * DRAWS_FOR_EACH):
        if len(found) == count:
            break
        values = {key: draw(random, option) for key, option in space.items()}
        found.setdefault(label(values), values)
    return list(found.values())


def draw(random: Random, option: Option) -> Any:
    if isinstance(option, list):
        return random.choice(option)
    share = random.random()
    if option.log:
        return option.nearest(option.low * (option.high / option.low) ** share)
    return option.nearest(option.low + (option.high - option.low) * share)


def _option(key: str, value: Any) -> Option:
    if isinstance(value, list) and value:
        return value
    if not isinstance(value, Mapping):
        raise ValueError(f"space: {key} should be a list of values or {{low, high}}, not {value!r}")
    try:
        return from_tree(Range, value)
    except ConfigError as error:
        raise ValueError(f"space: {key}: {error}") from error
