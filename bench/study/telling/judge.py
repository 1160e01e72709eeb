"""The verdicts on a study's claims, from the metrics and bootstrap resamples of its finished rows."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.errors import UserError
from bench.score.claims import Quantity, Row, Table, Verdict, judge
from bench.study.definition.spec import Study
from bench.study.running.state import CellState
from bench.study.steps.cache import StepCache
from bench.study.steps.graph import Cell
from bench.study.steps.result import read_json
from bench.study.steps.work import CURVES
from bench.study.telling.redo import flat


def verdicts(study: Study, ended: Sequence[tuple[Cell, CellState]], cache: StepCache) -> list[Verdict]:
    """One verdict a claim; a claim about rows that did not finish is undecided, and says so."""
    table = _table(ended, cache)
    return [_verdict(claim, table) for claim in study.claims]


def as_record(verdict: Verdict) -> dict[str, Any]:
    """What the tracker keeps of a verdict."""
    detail = verdict.reason or "; ".join(
        finding.line().removeprefix(f"{verdict.claim}: ") for finding in verdict.findings
    )
    return {"text": verdict.claim, "verdict": verdict.answer, "detail": detail}


def _verdict(claim: str, table: Table) -> Verdict:
    try:
        return judge(claim, table)
    except UserError as error:
        return Verdict(claim, "undecided", (), str(error))


def _table(ended: Sequence[tuple[Cell, CellState]], cache: StepCache) -> Table:
    done: dict[str, list[Cell]] = defaultdict(list)
    metrics: dict[str, list[dict[str, float]]] = defaultdict(list)
    for cell, state in ended:
        if state.status == "done":
            done[cell.row.name].append(cell)
            metrics[cell.row.name].append(state.metrics)
    return {name: _row(cells, metrics[name], cache) for name, cells in done.items()}


def _row(cells: Sequence[Cell], metrics: Sequence[dict[str, float]], cache: StepCache) -> Row:
    """Means over seeds; the resamples of all seeds drew the same images, so that their mean is a draw, too."""
    drawn = [read_json(cache.folder(cell.score) / CURVES).get("resamples", {}) for cell in cells]
    quantities = {}
    for name in metrics[0]:
        values = [one[name] for one in metrics if name in one]
        known = all(name in one for one in drawn) and len(values) == len(metrics)
        resampled = np.mean([one[name] for one in drawn], axis=0) if known else None
        quantities[name] = Quantity(float(np.mean(values)), resampled)
    return Row(quantities, dict(flat(cells[0].row.tree)))
