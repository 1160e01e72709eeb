"""The board as a pandas frame, and as CSV: full precision, one column a number."""

from typing import TYPE_CHECKING, Any

from bench.board.board import Board, Estimate, Row

if TYPE_CHECKING:
    import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def to_frame(board: Board) -> "pd.DataFrame":
    """One row a row, best first; `AP.low` and `AP.high` are the interval, `diff/AP` is the change to the baseline."""
    import pandas as pd

    frame = pd.DataFrame([_record(board, row) for row in board.rows])
    return frame.dropna(axis="columns", how="all").set_index("row") if len(frame) else frame


def to_csv(board: Board) -> str:
    """Texts that a spreadsheet would run as a formula get an apostrophe in front."""
    frame = to_frame(board).reset_index()
    texts = frame.select_dtypes(include=["object", "string"]).columns
    for name in texts:
        frame[name] = [harmless(cell) if isinstance(cell, str) else cell for cell in frame[name]]
    return str(frame.rename(columns=harmless).to_csv(index=False))


def harmless(text: str) -> str:
    return f"'{text}" if text.lstrip().startswith(FORMULA) or text.startswith(FORMULA) else text


def _record(board: Board, row: Row) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "rank": row.rank,
        "row": row.name,
        "study": row.study,
        "profile": row.profile,
        "baseline": row.is_baseline,
        "status": row.status,
        "reason": row.reason or None,
        "seeds": len(row.runs),
    }
    for name in board.columns:
        facts |= _ends(name, row.values.get(name)) | _ends(f"diff/{name}", row.changes.get(name))
        facts[f"published/{name}"] = row.published.get(name)
        facts[f"diff_of_diff/{name}"] = row.change_of_change(name)
    return facts


def _ends(name: str, found: Estimate | None) -> dict[str, float | None]:
    return {name: found.value, f"{name}.low": found.low, f"{name}.high": found.high} if found else {}
