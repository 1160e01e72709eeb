"""What the tracker remembers, as plain data that no other package needs MLflow to read."""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Source = Literal["measured", "published", "other"]
Status = Literal["running", "done", "skipped", "failed", "stopped", "interrupted"]
STATUSES: tuple[Status, ...] = get_args(Status)
ONLY_PRINTED = "only_printed"


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One row of a study under one seed (or one published row). `source` is "other" for runs of other tools."""

    study: str
    row: str
    seed: int | None = None
    profile: str = ""
    source: Source = "measured"
    status: Status = "running"
    reason: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    key: str = ""
    run_id: str = ""
    experiment_id: str = ""
    artifacts: str = ""


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """A study under one profile: what its rows share, and what was claimed and judged of them."""

    study: str
    profile: str
    description: str = ""
    params: dict[str, str] = field(default_factory=dict)
    claims: tuple[dict[str, Any], ...] = ()
    started: float | None = None
    key: str = ""
    run_id: str = ""
    experiment_id: str = ""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Data that a run read, and what for."""

    name: str
    use: Literal["training", "evaluation"]
    fingerprint: str
    source: str
    """where it lies"""
    profile: dict[str, Any] = field(default_factory=dict)
    """what is in it: images, objects, classes"""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A row as a paper prints it. Metrics are in our units: AP is a fraction, not points."""

    row: str
    metrics: dict[str, float]
    paper: str = ""
    table: str = ""
    schedule: str = ""
    footnote: str = ""
    only_printed: bool = False
    """nobody is going to measure it here"""

    @property
    def tags(self) -> dict[str, str]:
        named = {name: getattr(self, name) for name in ("paper", "table", "schedule", "footnote")}
        return {name: text for name, text in named.items() if text} | (
            {ONLY_PRINTED: "yes"} if self.only_printed else {}
        )
