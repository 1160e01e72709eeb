"""Two rows of every study that comes along train, predict and are scored under the profile `smoke`, smaller still."""

import io
from pathlib import Path

import pytest

from bench.config.overrides import settings_from_command_line
from bench.study.cache import StepCache
from bench.study.datasets import prepared_data
from bench.study.execution import Execution
from bench.study.find import all_studies
from bench.study.graph import Splits, cells
from bench.study.live import LiveTable
from bench.study.resources import Spread
from bench.study.spec import Study, load_study
from bench.train.ray_session import ray_session

SMALLER = (
    *("data.size=64", "data.train=8", "data.val=4"),
    *("train.iterations=2", "train.batch_size=4", "train.warmup_iterations=0", "train.lr=0.001"),
)


def two_rows(file: Path) -> Study:
    settings = settings_from_command_line(SMALLER)
    everything = load_study(file, profile="smoke")
    chosen = [row.name for row in everything.rows][:2]
    return load_study(file, profile="smoke", rows=chosen, seeds=1, overrides=settings)


@pytest.mark.timeout(900)
def test_two_rows_of_every_study_come_to_a_score(tmp_path: Path) -> None:
    studies = [study for study in map(two_rows, all_studies().values()) if study.rows]
    assert len(studies) > 35
    cache, splits = StepCache(tmp_path), dict[str, Splits]()
    for study in studies:
        splits |= prepared_data(study, cache.root)
    plan = [cell for study in studies for cell in cells(study, splits)]
    execution = Execution(plan, cache, Spread(), lambda cell, state: None)
    with ray_session() as session:
        execution.run(LiveTable("every study", execution.states, io.StringIO()), session)
    faults = {cell.title: state.reason for cell, state in zip(plan, execution.states, strict=True) if state.reason}
    assert not faults
    assert all("AP50" in state.metrics for state in execution.states)
