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

    @property
    def finished(self) -> bool:
        return self.status in FINAL
