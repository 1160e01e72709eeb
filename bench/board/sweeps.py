"""Finds the curves in a table: rows whose configs are equal but for one number."""

from collections import defaultdict
from collections.abc import Sequence

from bench.board.board import Row, Sweep

FEWEST_POINTS = 3


def find_sweeps(rows: Sequence[Row], metric: str) -> tuple[Sweep, ...]:
    shown = [row for row in rows if row.params and (metric in row.values or metric in row.published)]
    sweeps = [_along(param, shown) for param in _varying_numbers(shown)]
    return tuple(sweep for found in sweeps for sweep in found)


def _varying_numbers(rows: Sequence[Row]) -> list[str]:
    values: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for name, value in row.params.items():
            if _number(value) is not None:
                values[name].add(value)
    return sorted(name for name, found in values.items() if len(found) >= FEWEST_POINTS)


def _along(param: str, rows: Sequence[Row]) -> list[Sweep]:
    """Rows grouped by all of their config except the parameter; each group with enough points is a curve."""
    groups: dict[frozenset[tuple[str, str]], list[tuple[float, str]]] = defaultdict(list)
    for row in rows:
        number = _number(row.params.get(param, ""))
        if number is not None:
            rest = {name: value for name, value in row.params.items() if name != param}
            groups[frozenset({"study": row.study, "profile": row.profile, **rest}.items())].append((number, row.id))
    points = [tuple(sorted(group)) for group in groups.values()]
    return [Sweep(param, found) for found in points if len({number for number, _ in found}) >= FEWEST_POINTS]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
