"""Finds the curves in a table: rows whose configs are equal but for one number, and rows that a claim calls a curve."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial

from bench.board.board import Claim, Row, Sweep
from bench.errors import UserError
from bench.score.claims.language import Extreme, Monotone, names, parse

FEWEST_POINTS = 3


def find_sweeps(rows: Sequence[Row], metric: str, claims: Iterable[Claim] = ()) -> tuple[Sweep, ...]:
    shown = [row for row in rows if row.params and (metric in row.values or metric in row.published)]
    found = [sweep for param in _varying_numbers(shown) for sweep in _along(param, shown)]
    claimed = [sweep for claim in claims for sweep in _claimed(claim, shown)]
    return tuple(found + [sweep for sweep in dict.fromkeys(claimed) if not _within(sweep, found)])


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


def _claimed(claim: Claim, rows: Sequence[Row]) -> list[Sweep]:
    """Rows that a claim orders by a setting, even where others follow it, as `w_loc` does that keeps a loss's size."""
    groups: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    key = _key(claim.text)
    for row in rows if key else ():
        if row.study == claim.study:
            for param in filter(partial(names, key), row.params):
                if (number := _number(row.params[param])) is not None:
                    groups[row.profile, param].append((number, row.id))
    curves = [Sweep(param, tuple(sorted(points))) for (_, param), points in groups.items()]
    return [curve for curve in curves if FEWEST_POINTS <= len(curve.points) == len({x for x, _ in curve.points})]


def _key(claim: str) -> str:
    """What the claim is "over"; nothing of other claims, or where another version wrote it."""
    try:
        parsed = parse(claim)
    except UserError:
        return ""
    return parsed.key if isinstance(parsed, Extreme | Monotone) else ""


def _within(sweep: Sweep, others: Iterable[Sweep]) -> bool:
    return any(sweep.param == other.param and {*sweep.points} <= {*other.points} for other in others)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
