"""Judges claims about rows: holds, fails or undecided, with the numbers that led to it.

A comparison holds when the whole interval of the difference is on its side, fails when the whole interval is on the
other, and is undecided in between. Numbers without resamples (milliseconds, parameters) are compared as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from bench.config.suggest import remedy
from bench.errors import UserError
from bench.score.claims.language import (
    Absolute,
    Chain,
    Expression,
    Extreme,
    Metric,
    Monotone,
    Number,
    Product,
    Sum,
    names,
    parse,
)
from bench.score.resampling.bootstrap import Resampled

Answer = Literal["holds", "fails", "undecided"]
EQUAL = 1e-12


@dataclass(frozen=True)
class Quantity:
    """A number, and what it became in every resample; exact ones have no resamples."""

    value: float
    resampled: np.ndarray | None = None


@dataclass(frozen=True)
class Row:
    metrics: Mapping[str, Quantity]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """swept settings by name, for claims "over" one"""


Table = Mapping[str, Row]


@dataclass(frozen=True)
class Finding:
    """One comparison: left less right, with its interval where there is one."""

    text: str
    answer: Answer
    difference: float
    low: float | None = None
    high: float | None = None

    def line(self) -> str:
        interval = "" if self.low is None or self.high is None else f" [{self.low:+.4f}, {self.high:+.4f}]"
        return f"{self.text}: difference {self.difference:+.4f}{interval}, {self.answer}"


@dataclass(frozen=True)
class Verdict:
    claim: str
    answer: Answer
    findings: tuple[Finding, ...]
    reason: str = ""

    def line(self) -> str:
        return f"{self.claim}: {self.answer} ({self.reason or '; '.join(f.line() for f in self.findings)})"


def judge(claim: str, table: Table, level: float = 0.95) -> Verdict:
    """`table` maps the name of a row to its metrics and settings; raises UserError for a claim that makes no sense."""
    parsed = parse(claim)
    where = f"claim {claim!r}"
    if isinstance(parsed, Chain):
        return _chain(claim, parsed, table, level, where)
    if isinstance(parsed, Monotone):
        return _monotone(claim, parsed, table, level, where)
    return _extreme(claim, parsed, table, level, where)


def table_of(resampled: Resampled, settings: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Row]:
    """A table of the rows of a bootstrap."""
    settings = settings or {}
    return {
        row: Row({name: Quantity(s.value, s.resampled) for name, s in metrics.items()}, settings.get(row, {}))
        for row, metrics in resampled.samples.items()
    }


def _chain(claim: str, chain: Chain, table: Table, level: float, where: str) -> Verdict:
    quantities = [_evaluate(term, table, where) for term in chain.terms]
    findings = tuple(
        _compare(f"{chain.texts[i]} {sign} {chain.texts[i + 1]}", sign, quantities[i], quantities[i + 1], level)
        for i, sign in enumerate(chain.comparisons)
    )
    return Verdict(claim, _all(findings), findings)


def _monotone(claim: str, parsed: Monotone, table: Table, level: float, where: str) -> Verdict:
    rows = _swept(parsed.key, table, where)
    sign = ">" if parsed.rises else "<"
    findings = []
    for (low, a), (high, b) in pairwise(rows):
        text = f"{parsed.metric} at {parsed.key} {high} {sign} at {low}"
        upper, lower = (_metric(parsed.metric, row, table, where) for row in (b, a))
        findings.append(_compare(text, sign, upper, lower, level))
    return Verdict(claim, _all(tuple(findings)), tuple(findings))


def _extreme(claim: str, parsed: Extreme, table: Table, level: float, where: str) -> Verdict:
    rows = _swept(parsed.key, table, where)
    values = [value for value, _ in rows]
    if parsed.value not in values:
        listed = ", ".join(map(str, values))
        raise UserError(f"no row has {parsed.key} = {_plain(parsed.value)}", where=where, remedy=f"rows have {listed}")
    quantities = [_metric(parsed.metric, row, table, where) for _, row in rows]
    best, share = _share_near(quantities, parsed.highest, values.index(parsed.value), parsed.steps)
    if share is None:
        answer: Answer = "holds" if abs(best - values.index(parsed.value)) <= parsed.steps else "fails"
    else:
        answer = "holds" if share >= level else "fails" if share <= 1 - level else "undecided"
    shown = ", ".join(f"{value}: {q.value:.4f}" for value, q in zip(values, quantities, strict=True))
    seen = "" if share is None else f", within the claim in {share:.0%} of resamples"
    return Verdict(claim, answer, (), f"best at {values[best]}{seen}; {parsed.metric} is {shown}")


def _share_near(quantities: list[Quantity], highest: bool, claimed: int, steps: int) -> tuple[int, float | None]:
    """Where the best is, and in what share of resamples it is near the claimed place; None without resamples."""
    sign = 1 if highest else -1
    best = int(np.argmax([sign * q.value for q in quantities]))
    if any(q.resampled is None for q in quantities):
        return best, None
    drawn = np.argmax([sign * np.asarray(q.resampled) for q in quantities], axis=0)
    return best, float((np.abs(drawn - claimed) <= steps).mean())


def _compare(text: str, sign: str, left: Quantity, right: Quantity, level: float) -> Finding:
    gap = _add(left, -1, right)
    if gap.resampled is None:
        return Finding(text, "holds" if _true(sign, gap.value) else "fails", gap.value)
    draws = gap.resampled[np.isfinite(gap.resampled)]
    if not len(draws) or not np.isfinite(gap.value):
        return Finding(text, "undecided", gap.value)
    low, high = (float(v) for v in np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]))
    ends = _true(sign, low), _true(sign, high)
    answer: Answer = "holds" if all(ends) else "undecided" if any(ends) else "fails"
    return Finding(text, answer, gap.value, low, high)


def _true(sign: str, gap: float) -> bool:
    """Rounding alone neither makes nor breaks an equality."""
    return {">": gap > EQUAL, "<": gap < -EQUAL, ">=": gap >= -EQUAL, "<=": gap <= EQUAL}[sign]


def _all(findings: tuple[Finding, ...]) -> Answer:
    answers = {finding.answer for finding in findings}
    return "fails" if "fails" in answers else "undecided" if "undecided" in answers else "holds"


def _evaluate(term: Expression, table: Table, where: str) -> Quantity:
    if isinstance(term, Number):
        return Quantity(term.value)
    if isinstance(term, Metric):
        return _metric(term.name, term.row, table, where)
    if isinstance(term, Sum):
        return _add(_evaluate(term.left, table, where), term.sign, _evaluate(term.right, table, where))
    inner = _evaluate(term.term, table, where)
    if isinstance(term, Product):
        return Quantity(term.factor * inner.value, None if inner.resampled is None else term.factor * inner.resampled)
    assert isinstance(term, Absolute)
    return Quantity(abs(inner.value), None if inner.resampled is None else np.abs(inner.resampled))


def _add(left: Quantity, sign: int, right: Quantity) -> Quantity:
    value = left.value + sign * right.value
    if left.resampled is None and right.resampled is None:
        return Quantity(value)
    a = left.value if left.resampled is None else left.resampled
    b = right.value if right.resampled is None else right.resampled
    return Quantity(value, np.asarray(a + sign * b))


def _metric(name: str, row: str, table: Table, where: str) -> Quantity:
    if row not in table:
        raise UserError(f"no row is called {row!r}", where=where, remedy=remedy(row, table))
    metrics = table[row].metrics
    if name not in metrics:
        raise UserError(f"the row {row!r} has no metric {name!r}", where=where, remedy=remedy(name, metrics))
    return metrics[name]


def _swept(key: str, table: Table, where: str) -> list[tuple[Any, str]]:
    """Value and name of the rows that set `key`, in the order of values."""
    found = []
    for row, content in table.items():
        for setting, value in content.settings.items():
            if names(key, setting):
                found.append((value, row))
    if len(found) < 2:
        known = {setting for content in table.values() for setting in content.settings}
        raise UserError(f"{len(found)} rows set {key!r}, too few", where=where, remedy=remedy(key, known))
    return sorted(found, key=lambda pair: (isinstance(pair[0], str), pair[0]))


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(value)
