"""The board in the form that was asked for."""

from collections.abc import Callable, Sequence

from bench.board.board import Board
from bench.board.build import build
from bench.board.frame import to_csv
from bench.board.latex import to_latex
from bench.board.markdown import to_markdown
from bench.board.page import to_html
from bench.board.terminal import to_terminal
from bench.config.suggest import remedy
from bench.errors import UserError
from bench.track.record import RunRecord, StudyRecord

FORMS: dict[str, Callable[[Board], str]] = {
    "terminal": to_terminal,
    "markdown": to_markdown,
    "csv": to_csv,
    "latex": to_latex,
    "html": to_html,
}


def render(board: Board, form: str = "terminal") -> str:
    if form not in FORMS:
        raise UserError(f"there is no form {form!r}", where="--format", remedy=remedy(form, FORMS))
    return FORMS[form](board)


def leaderboard(records: Sequence[RunRecord], studies: Sequence[StudyRecord] = (), form: str = "terminal") -> str:
    """The leaderboard of records that are already at hand."""
    return render(build(records, studies), form)
