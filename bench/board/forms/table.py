"""The board as columns of short texts, for every renderer that is not a page."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.board.board import Board, Estimate, Row
from bench.board.metrics import Metric, metric_of

MISSING = "–"
MINUS = "−"


@dataclass(frozen=True)
class Column:
    """`priority` 0 is always shown; where there is no room, the highest goes first."""

    head: str
    cells: tuple[str, ...]
    priority: int
    left: bool = False

    @property
    def width(self) -> int:
        return max(len(text) for text in (self.head, *self.cells))

    @property
    def empty(self) -> bool:
        return all(cell in (MISSING, "") for cell in self.cells)


def columns(board: Board) -> list[Column]:
    """All columns that say anything, in their order."""
    main = metric_of(board.metric)
    fixed = [
        _column(board, "#", 0, rank),
        _column(board, "study", 0, lambda row: f"{row.study} {row.profile}".strip(), left=True),
        _column(board, "row", 0, lambda row: row.name + (" (baseline)" if row.is_baseline else ""), left=True),
        _column(board, main.label, 0, lambda row: estimate(main, row.values.get(main.name))),
        _column(board, "Δ baseline", 1, lambda row: change(main, row.changes.get(main.name))),
        _column(board, "published", 2, lambda row: plain(main, row.published.get(main.name))),
        _column(board, "Δ published", 3, lambda row: signed(main, row.published_changes.get(main.name))),
        _column(board, "ΔΔ", 4, lambda row: signed(main, row.change_of_change(main.name))),
    ]
    others = [_metric_column(board, name) for name in board.columns if name != main.name]
    seeds = _column(board, "seeds", 6, lambda row: str(len(row.runs) or MISSING))
    status = _column(board, "status", 0, lambda row: "" if row.status == "done" else row.status, left=True)
    shown = [*fixed, *others]
    if not board.many_studies:
        shown = [column for column in shown if column.head != "study"]
    if any(len(row.runs) > 1 for row in board.rows):
        shown.append(seeds)
    if any(row.status != "done" for row in board.rows):
        shown.append(status)
    return [column for column in shown if column.priority == 0 or not column.empty]


def _column(board: Board, head: str, priority: int, cell: Callable[[Row], str], *, left: bool = False) -> Column:
    return Column(head, tuple(printable(cell(row)) for row in board.rows), priority, left)


def _metric_column(board: Board, name: str) -> Column:
    metric = metric_of(name)
    priority = {"accuracy": 5, "quality": 5, "cost": 5}.get(metric.group, 9) + 2 * metric.wide
    return _column(board, metric.label, priority, lambda row: value(metric, row.values.get(name)))


def printable(text: str) -> str:
    """One line without control characters: a name cannot colour, move or clear anything."""
    return "".join(letter if letter.isprintable() else "�" for letter in " ".join(text.split()))


def fitting(found: list[Column], width: int, padding: int = 2) -> list[Column]:
    """The most important columns that fit into a line, in their order."""
    by_need = sorted(range(len(found)), key=lambda index: (found[index].priority, index))
    chosen: set[int] = set()
    for index in by_need:
        taken = sum(found[i].width + padding for i in chosen)
        if found[index].priority == 0 or taken + found[index].width + padding <= width:
            chosen.add(index)
    return [found[index] for index in sorted(chosen)]


def rank(row: Row) -> str:
    if row.rank is None:
        return MISSING
    return f"{row.rank}–{row.last_rank}" if row.tied else str(row.rank)


def plain(metric: Metric, number: float | None) -> str:
    if number is None or number != number:
        return MISSING
    text = f"{number * metric.scale:.{metric.digits}f}"
    return text.replace("-", MINUS)


def signed(metric: Metric, number: float | None) -> str:
    return plain(metric, number) if number is None or number < 0 else f"+{plain(metric, number)}"


def value(metric: Metric, found: Estimate | None) -> str:
    return plain(metric, found.value if found else None)


def estimate(metric: Metric, found: Estimate | None) -> str:
    if found is None or found.half is None:
        return value(metric, found)
    return f"{value(metric, found)} ±{plain(metric, found.half)}"


def change(metric: Metric, found: Estimate | None) -> str:
    if found is None or found.low is None:
        return signed(metric, found.value if found else None)
    return f"{signed(metric, found.value)} [{signed(metric, found.low)}, {signed(metric, found.high)}]"
