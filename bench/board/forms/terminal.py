"""The board on a terminal: as many columns as the line takes, intervals, verdicts, and why rows failed."""

import io
import shutil
import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bench.board.board import Board, Claim, Row
from bench.board.forms.table import Column, columns, fitting, printable
from bench.board.metrics import metric_of

BAR_WIDTH = 12
WIDE = 120
EIGHTHS = " ▏▎▍▌▋▊▉"
VERDICTS = {"holds": ("✓", "green"), "fails": ("✗", "red")}


def to_terminal(board: Board, width: int | None = None, color: bool | None = None) -> str:
    """Text of at most `width` columns; by default as wide and as colourful as the terminal it goes to."""
    width = width or shutil.get_terminal_size((140, 24)).columns
    color = sys.stdout.isatty() if color is None else color
    out = Console(
        file=io.StringIO(), width=width, force_terminal=color, color_system="256" if color else None, highlight=False
    )
    out.print(Padding(Text(printable(board.title), style="bold"), (1, 0, 0, 1)))
    if board.description:
        for line in board.description.splitlines():
            out.print(Padding(Text(printable(line), style="dim"), (0, 0, 0, 1)))
    if board.rows:
        out.print(Padding(_table(board, width), (0, 0, 0, 1)))
    for row in board.rows:
        if row.reason:
            out.print(_failure(row))
    for claim in board.claims:
        out.print(_claim(claim))
    for note in board.notes:
        out.print(Padding(Text(note, style="dim"), (0, 0, 0, 1)))
    assert isinstance(out.file, io.StringIO)
    return "\n".join(line.rstrip() for line in out.file.getvalue().splitlines()) + "\n"


def _table(board: Board, width: int) -> Table:
    found = columns(board)
    with_bars = width >= WIDE and any(board.metric in row.values for row in board.rows)
    shown = fitting(found, width - 2 - (BAR_WIDTH + 2 if with_bars else 0))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for column in shown:
        table.add_column(Text(column.head), justify="left" if column.left else "right", no_wrap=column.head != "row")
        if with_bars and column.head == metric_of(board.metric).label:
            table.add_column("", no_wrap=True)
    for index, row in enumerate(board.rows):
        cells = []
        for column in shown:
            cells.append(Text(column.cells[index], style=_style(column, row, board.metric)))
            if with_bars and column.head == metric_of(board.metric).label:
                cells.append(_bar(board, row))
        table.add_row(*cells, style="" if row.status == "done" else "dim")
    return table


def _style(column: Column, row: Row, metric: str) -> str:
    if column.head == metric_of(metric).label or (column.head == "row" and row.rank == 1):
        return "bold"
    if column.head == "status" and row.status != "done":
        return "red" if "failed" in row.status else "yellow"
    found = row.changes.get(metric)
    if column.head == "Δ baseline" and found is not None and found.clear:
        return "green" if found.value * (metric_of(metric).better or 1) > 0 else "red"
    return ""


def _bar(board: Board, row: Row) -> Text:
    """A bar from zero to the best row."""
    values = [abs(r.values[board.metric].value) for r in board.rows if board.metric in r.values]
    own = row.values.get(board.metric)
    if own is None or own.value != own.value or not max(values):
        return Text("")
    eighths = round(BAR_WIDTH * 8 * abs(own.value) / max(values))
    return Text("█" * (eighths // 8) + EIGHTHS[eighths % 8].strip(), style="cyan")


def _failure(row: Row) -> Padding:
    return Padding(Text.assemble((f"{printable(row.name)}: ", "red"), printable(row.reason)), (0, 0, 0, 1))


def _claim(claim: Claim) -> Padding:
    sign, color = VERDICTS.get(claim.verdict, ("?", "yellow"))
    detail = f"  {printable(claim.detail)}" if claim.detail else ""
    return Padding(
        Text.assemble((f"{sign} {claim.verdict:<10}", color), printable(claim.text), (detail, "dim")),
        (0, 0, 0, 1),
    )
