"""A leaderboard as plain data: what every renderer draws, and nothing about how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A mean over `n` seeds and its 95 % interval; no interval where there is nothing to make one of."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 1

    @property
    def half(self) -> float | None:
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def clear(self) -> bool:
        """The interval leaves zero out."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Run:
    """One seed of a row."""

    seed: int | None
    status: str
    reason: str
    run_id: str
    url: str = ""
    hours: float | None = None


@dataclass(frozen=True)
class Picture:
    """An image file with the words that stand for it."""

    path: Path
    words: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A named line. It is clearly behind `rank` - 1 rows, and clearly behind or tied with `last_rank` - 1."""

    name: str
    study: str
    profile: str
    is_baseline: bool = False
    only_printed: bool = False
    """a row of the paper that nobody is going to measure here"""
    about: str = ""
    rank: int | None = None
    last_rank: int | None = None
    status: str = "not run"
    reason: str = ""
    runs: tuple[Run, ...] = ()
    values: Mapping[str, Estimate] = field(default_factory=dict)
    changes: Mapping[str, Estimate] = field(default_factory=dict)
    published: Mapping[str, float] = field(default_factory=dict)
    published_changes: Mapping[str, float] = field(default_factory=dict)
    paper: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    config_difference: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    made_with: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    curves: Mapping[str, Any] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()

    @property
    def tied(self) -> bool:
        """Some other row cannot be told apart from this one."""
        return self.rank != self.last_rank

    @property
    def id(self) -> str:
        return "/".join((self.study, self.profile, self.name))

    def change_of_change(self, metric: str) -> float | None:
        """How much more the row gains over its baseline here than in the paper."""
        if metric not in self.changes or metric not in self.published_changes:
            return None
        return self.changes[metric].value - self.published_changes[metric]


@dataclass(frozen=True)
class Sweep:
    """Rows along a number of their config: they differ in nothing else, or a claim orders them by it."""

    param: str
    points: tuple[tuple[float, str], ...]
    """(value of the parameter, row id), rising"""


@dataclass(frozen=True)
class Claim:
    """A statement about rows and what the measurements say of it."""

    text: str
    verdict: str
    detail: str = ""
    study: str = ""


@dataclass(frozen=True, kw_only=True)
class Board:
    """Rows, best first; `columns` are the names of all metrics that some row has, in their order."""

    title: str
    description: str = ""
    metric: str = "AP"
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    claims: tuple[Claim, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def many_studies(self) -> bool:
        return len({(row.study, row.profile) for row in self.rows}) > 1
