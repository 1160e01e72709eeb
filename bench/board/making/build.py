"""From the tracker's records to a board: seeds averaged, baselines subtracted, published numbers set beside."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from bench.board.board import Board, Claim, Row
from bench.board.making.group import Extras, Group
from bench.board.making.sweeps import find_sweeps
from bench.board.metrics import in_order
from bench.track.record import RunRecord, StudyRecord


def build(
    records: Sequence[RunRecord],
    studies: Sequence[StudyRecord] = (),
    extras: Mapping[str, Extras] | None = None,
    metric: str | None = None,
) -> Board:
    """`studies` tell baseline, order and claims; `extras` are by run id. Without them the first row is the baseline."""
    known = {(study.study, study.profile): study for study in studies}
    measured = [record for record in records if record.source == "measured"]
    groups: dict[tuple[str, str], list[RunRecord]] = defaultdict(list)
    for record in measured:
        groups[record.study, record.profile].append(record)
    for study in studies:
        groups.setdefault((study.study, study.profile), [])
    published = [record for record in records if record.source == "published"]
    if not groups:
        groups = defaultdict(list, {(record.study, ""): [] for record in published})
    metric = metric or next((s.params["metric"] for s in studies if "metric" in s.params), "AP")
    rows = [
        row
        for group, runs in groups.items()
        for row in Group(group, runs, known.get(group), published, extras or {}, metric).rows()
    ]
    claims = [_claim(claim, study.study) for study in studies for claim in study.claims]
    names = {name for row in rows for name in row.values} | {name for row in rows for name in row.published}
    return Board(
        title=" · ".join(dict.fromkeys(study for study, _ in groups)) or "Nothing was recorded yet",
        description="\n".join(dict.fromkeys(study.description for study in studies if study.description)),
        metric=metric,
        columns=tuple(in_order(names)),
        rows=tuple(rows),
        claims=tuple(claims),
        sweeps=find_sweeps(rows, metric, claims),
        notes=tuple(_notes(records, rows, metric)),
    )


def _claim(claim: Mapping[str, Any], study: str) -> Claim:
    known = {name: str(claim.get(name, "")) for name in ("text", "verdict", "detail")}
    return Claim(known["text"] or str(claim.get("claim", "")), known["verdict"] or "undecided", known["detail"], study)


def _notes(records: Sequence[RunRecord], rows: Sequence[Row], metric: str) -> list[str]:
    """What a reader should know before trusting the table."""
    notes = []
    measured = [row.values[metric] for row in rows if metric in row.values]
    if any(row.tied for row in rows):
        notes.append(
            "A rank like 2–4 spans rows that cannot be told apart: the 95 % interval of their difference holds 0."
        )
    if any(estimate.low is None for estimate in measured):
        notes.append(
            "Where no interval is shown, one seed was run and no bootstrap was made: read small differences as noise."
        )
    others = sum(record.source == "other" for record in records)
    if others:
        notes.append(
            f"Left out: {others} {'run' if others == 1 else 'runs'} that other tools put into the same experiment."
        )
    if any(row.published for row in rows):
        notes.append("Published numbers are the papers' own, on their data and schedule; compare changes, not values.")
    return notes
