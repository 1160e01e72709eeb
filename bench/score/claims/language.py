"""The language of claims, read by a small parser: nothing in it is executed.

AP[h_plus_l] > AP[h] > AP[l] > AP[baseline]        a chain
AP90[dir] - AP90[base] > 0.5 pt                    sums, differences, abs(...), a factor; pt is 0.01
AP rises over topk          AP falls over sigma    over the rows that set it, in the order of its values
argmax AP over topk is 9 +- 1 step                 the best value, give or take neighbours; argmin likewise
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bench.errors import UserError

POINT = 0.01


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Metric:
    name: str
    row: str


@dataclass(frozen=True)
class Sum:
    left: Expression
    sign: int
    right: Expression


@dataclass(frozen=True)
class Product:
    factor: float
    term: Expression


@dataclass(frozen=True)
class Absolute:
    term: Expression


Expression = Number | Metric | Sum | Product | Absolute


@dataclass(frozen=True)
class Chain:
    """Terms with a comparison between each two neighbours."""

    terms: tuple[Expression, ...]
    texts: tuple[str, ...]
    comparisons: tuple[str, ...]


@dataclass(frozen=True)
class Monotone:
    metric: str
    key: str
    rises: bool


@dataclass(frozen=True)
class Extreme:
    metric: str
    key: str
    highest: bool
    value: Any
    steps: int


Claim = Chain | Monotone | Extreme

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|(?P<metric>[A-Za-z_]\w*)\s*\[\s*(?P<row>[^\]\[]*?)\s*\]"
    r"|(?P<word>[A-Za-z_][\w.]*)|(?P<symbol>\+-|±|>=|<=|[-+*()<>|]))"
)
_COMPARISONS = (">", "<", ">=", "<=")
_COUNTS = {"zero": 0, "one": 1, "two": 2, "three": 3}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int
    row: str = ""


def parse(text: str) -> Claim:
    return _Parser(text).claim()


def names(key: str, setting: str) -> bool:
    """Whether a claim "over" the key speaks of a setting, whose dotted name its last part may stand for."""
    return key in (setting, setting.rpartition(".")[2])


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.tokens = _tokens(text)

    def claim(self) -> Claim:
        first = self._peek()
        if first.kind == "word" and first.text in ("argmax", "argmin"):
            found: Claim = self._extreme()
        elif first.kind == "word" and self.at + 1 < len(self.tokens) and self._peek(1).text in ("rises", "falls"):
            found = self._monotone()
        else:
            found = self._chain()
        if self._peek().kind != "end":
            raise self._error("is more than one claim")
        return found

    def _extreme(self) -> Extreme:
        highest = self._take().text == "argmax"
        metric = "AP" if self._peek().text == "over" else self._word("a metric")
        self._expect("over")
        key = self._word("the name of a setting")
        self._expect("is")
        value = self._value()
        steps = 0
        if self._peek().text in ("+-", "±"):
            self._take()
            steps = self._count()
            if self._peek().text not in ("step", "steps"):
                raise self._error("should be 'step' or 'steps'")
            self._take()
        return Extreme(metric, key, highest, value, steps)

    def _monotone(self) -> Monotone:
        metric = self._word("a metric")
        rises = self._take().text == "rises"
        self._expect("over")
        return Monotone(metric, self._word("the name of a setting"), rises)

    def _chain(self) -> Chain:
        starts, terms, comparisons = [self._peek().start], [self._sum()], []
        ends = [self.tokens[self.at - 1].end]
        while self._peek().text in _COMPARISONS:
            comparisons.append(self._take().text)
            starts.append(self._peek().start)
            terms.append(self._sum())
            ends.append(self.tokens[self.at - 1].end)
        if not comparisons:
            raise self._error("should be one of > < >= <=")
        texts = tuple(self.text[start:end] for start, end in zip(starts, ends, strict=True))
        return Chain(tuple(terms), texts, tuple(comparisons))

    def _sum(self) -> Expression:
        found = self._product()
        while self._peek().text in ("+", "-"):
            sign = 1 if self._take().text == "+" else -1
            found = Sum(found, sign, self._product())
        return found

    def _product(self) -> Expression:
        if self._peek().text == "-":
            self._take()
            return Product(-1.0, self._product())
        if self._peek().kind != "number":
            return self._atom()
        value = float(self._take().text)
        if self._peek().text == "*":
            self._take()
            return Product(value, self._product())
        if self._peek().text == "pt":
            self._take()
            value *= POINT
        return Number(value)

    def _atom(self) -> Expression:
        token = self._take()
        if token.kind == "metric":
            return Metric(token.text, token.row)
        if token.text == "abs" and self._peek().text == "(":
            return Absolute(self._atom())
        if token.text == "(":
            found = self._sum()
            self._expect(")")
            return found
        self.at -= 1
        raise self._error("should be a number or a metric of a row, such as AP[baseline]")

    def _value(self) -> Any:
        sign = -1 if self._peek().text == "-" and self._take() else 1
        token = self._take()
        if token.kind == "number":
            return sign * float(token.text)
        if token.kind == "word" and sign == 1:
            return token.text
        self.at -= 1
        raise self._error("should be a value")

    def _count(self) -> int:
        token = self._take()
        if token.text in _COUNTS or token.text.isdecimal():
            return _COUNTS[token.text] if token.text in _COUNTS else int(token.text)
        self.at -= 1
        raise self._error("should be a number of steps")

    def _word(self, what: str) -> str:
        if self._peek().kind != "word":
            raise self._error(f"should be {what}")
        return self._take().text

    def _expect(self, text: str) -> None:
        if self._peek().text != text:
            raise self._error(f"should be {text!r}")
        self._take()

    def _peek(self, ahead: int = 0) -> _Token:
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def _take(self) -> _Token:
        token = self._peek()
        self.at = min(self.at + 1, len(self.tokens) - 1) if token.kind != "end" else self.at + 1
        return token

    def _error(self, what: str) -> UserError:
        token = self._peek()
        shown = repr(self.text[token.start : token.end]) if token.kind != "end" else "the end"
        return UserError(f"{shown} at column {token.start + 1} {what}", where=f"claim {self.text!r}")


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            column = at + len(text[at:]) - len(text[at:].lstrip())
            raise UserError(f"cannot read {text[column]!r} at column {column + 1}", where=f"claim {text!r}")
        kind = "metric" if match["metric"] else str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind), match.end(), match["row"] or ""))
        at = match.end()
    return [*found, _Token("end", "", len(text), len(text))]
