"""The board in the form that was asked for."""

from collections.abc import Callable, Sequence

from bench.board.board import Board
from bench.board.forms.frame import to_csv
from bench.board.forms.latex import to_latex
from bench.board.forms.markdown import to_markdown
from bench.board.forms.page import to_html
from bench.board.forms.terminal import to_terminal
from bench.board.making.build import build
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
