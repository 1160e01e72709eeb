"""What each cell of a running study is doing, read from step folders; the one source of the live table."""

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["waiting", "training", "predicting", "scoring", "done", "skipped", "failed", "stopped", "interrupted"]
FINAL: frozenset[str] = frozenset({"done", "skipped", "failed", "stopped", "interrupted"})


@dataclass
class CellState:
    """One line of the live table."""

    title: str
    status: Status = "waiting"
    fraction: float = 0.0
    reason: str = ""
    cached: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    note: str = ""
    ended_at: float = 0.0
    """When its last step was done, in whichever run: seconds since 1970."""

    @property
    def finished(self) -> bool:
        return self.status in FINAL


def reason_of(error: BaseException) -> str:
    """The last line that a person wants of an error that crossed processes."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return f"{type(cause).__name__}: {lines[-1] if lines else 'no message'}"[:500]
