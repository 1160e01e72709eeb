"""The board as a booktabs table, ready for a paper (needs \\usepackage{booktabs})."""

import unicodedata

from bench.board.board import Board
from bench.board.forms.table import MINUS, Column, columns

SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    MINUS: "$-$",
    "±": r"$\pm$",
    "Δ": r"$\Delta$",
    "ₛ": r"$_s$",
    "–": "--",
    "·": r"$\cdot$",
}


def to_latex(board: Board) -> str:
    shown = [column for column in columns(board) if column.priority < 7]
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{escape(board.title)}. {escape(board.description)}}}",
        rf"  \begin{{tabular}}{{{''.join('l' if column.left else 'r' for column in shown)}}}",
        r"    \toprule",
        _line([column.head for column in shown]),
        r"    \midrule",
        *(_row(board, shown, index) for index in range(len(board.rows))),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(board: Board, shown: list[Column], index: int) -> str:
    return _line([column.cells[index] for column in shown], bold=board.rows[index].rank == 1)


def _line(cells: list[str], bold: bool = False) -> str:
    texts = [escape(cell) for cell in cells]
    return "    " + " & ".join(rf"\textbf{{{text}}}" if bold else text for text in texts) + r" \\"


def escape(text: str) -> str:
    return "".join(SPECIAL.get(letter) or _greek(letter) for letter in " ".join(text.split()))


def _greek(letter: str) -> str:
    name = unicodedata.name(letter, "")
    small = name.removeprefix("GREEK SMALL LETTER ")
    return rf"$\{small.lower()}$" if name != small and small.isalpha() else letter
