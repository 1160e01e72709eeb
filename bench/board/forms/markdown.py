"""The board in Markdown, for a README or an issue."""

from bench.board.board import Board
from bench.board.forms.table import columns

SPECIAL = "\\`*_[]<>|~#!&$"


def to_markdown(board: Board) -> str:
    shown = [column for column in columns(board) if column.priority < 9]
    lines = [f"### {escape(board.title)}", ""]
    lines += [escape(line) for line in board.description.splitlines()] + [""] if board.description else []
    lines.append(_line([column.head for column in shown]))
    lines.append("|" + "|".join(":---" if column.left else "---:" for column in shown) + "|")
    lines += [_line([column.cells[index] for column in shown]) for index in range(len(board.rows))]
    reasons = [f"- **{escape(row.name)}** ({row.status}): {escape(row.reason)}" for row in board.rows if row.reason]
    claims = [f"- {claim.verdict}: {escape(claim.text)} {escape(claim.detail)}".rstrip() for claim in board.claims]
    notes = [f"_{escape(note)}_" for note in board.notes]
    for block in (reasons, claims, notes):
        lines += ["", *block] if block else []
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(escape(cell) for cell in cells) + " |"


def escape(text: str) -> str:
    """Names are shown as they are, never read as Markdown or HTML."""
    return "".join(f"\\{letter}" if letter in SPECIAL else letter for letter in " ".join(text.split()))
