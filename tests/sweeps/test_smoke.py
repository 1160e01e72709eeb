"""Two rows of every study that comes along train, predict and are scored under the profile `smoke`, smaller still."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.config.overrides import settings_from_command_line
from bench.study.definition.find import all_studies
from bench.study.definition.spec import Study, load_study
from bench.study.running.execution import Execution
from bench.study.running.live import LiveTable
from bench.study.running.resources import Spread
from bench.study.running.state import CellState
from bench.study.steps.cache import StepCache
from bench.study.steps.datasets import prepared_data
from bench.study.steps.graph import Cell, Splits, cells
from bench.train.distributed.ray_session import ray_session

SMALLER = (
    *("data.size=64", "data.train=8", "data.val=4"),
    *("train.iterations=2", "train.batch_size=4", "train.warmup_iterations=0", "train.lr=0.001"),
)


def two_rows(file: Path) -> Study:
    settings = settings_from_command_line(SMALLER)
    everything = load_study(file, profile="smoke")
    chosen = [row.name for row in everything.rows][:2]
    return load_study(file, profile="smoke", rows=chosen, seeds=1, overrides=settings)


def of_study(study: Study, cell: Cell) -> Cell:
    return replace(cell, row=replace(cell.row, name=f"{study.name} {cell.row.name}"))


class Nobody:
    def open(self, plan: Sequence[Cell]) -> None:
        pass

    def finished(self, cell: Cell, state: CellState) -> None:
        pass


@pytest.mark.timeout(900)
def test_two_rows_of_every_study_come_to_a_score(tmp_path: Path) -> None:
    studies = [study for study in map(two_rows, all_studies().values()) if study.rows]
    assert len(studies) > 35
    cache, splits = StepCache(tmp_path), dict[str, Splits]()
    for study in studies:
        splits |= prepared_data(study, cache.root)
    plan = [of_study(study, cell) for study in studies for cell in cells(study, splits)]
    execution = Execution(lambda ended: [] if ended else plan, cache, Spread(), Nobody())
    with ray_session() as session:
        execution.run(LiveTable("every study", execution.states.values(), io.StringIO()), session)
    assert len(execution.states) == len(plan)
    assert not {title: state.reason for title, state in execution.states.items() if state.reason}
    assert all("AP50" in state.metrics for state in execution.states.values())
