"""Which cells a study has: those of its rows, and those that its search makes of what is known by then."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.study.definition.spec import Study
from bench.study.running.state import CellState
from bench.study.steps.datasets import prepared_data
from bench.study.steps.graph import Cell, Splits, cells


class Planning:
    """Prepares the data of what it plans; `splits` gets to know them."""

    def __init__(self, study: Study, root: Path, splits: dict[str, Splits]) -> None:
        self._study, self._root, self._splits = study, root, splits
        self._unplanned = study.rows
        self._searching = study.searching() if study.searching else None

    def next(self, ended: Mapping[str, tuple[Cell, CellState]]) -> list[Cell]:
        """What is to be done besides all that was planned before; nothing for now, or nothing any more."""
        rows, self._unplanned = self._unplanned, ()
        if self._searching:
            rows += self._searching.next(self._results(ended))
        part = replace(self._study, rows=rows)
        self._splits |= prepared_data(part, self._root)
        return cells(part, self._splits)

    def _results(self, ended: Mapping[str, tuple[Cell, CellState]]) -> dict[str, dict[str, float] | None]:
        """Metrics of each row that has ended, means over its seeds; None where one of them did not come to an end."""
        rows: dict[str, list[CellState]] = {}
        for cell, state in ended.values():
            rows.setdefault(cell.row.name, []).append(state)
        whole = {name: own for name, own in rows.items() if len(own) == len(self._study.seeds)}
        scored = {name: all(state.status in ("done", "stopped") for state in own) for name, own in whole.items()}
        return {name: _mean(own) if scored[name] else None for name, own in whole.items()}


def _mean(states: Sequence[CellState]) -> dict[str, float]:
    shared = set.intersection(*(set(state.metrics) for state in states))
    return {name: sum(state.metrics[name] for state in states) / len(states) for name in shared}
