"""How a run of a study grows with its search, and that a run that was broken off grows as before."""

import io
import os
from pathlib import Path
from random import Random

import pytest

from bench.study.definition.spec import load_study
from bench.study.running.execution import Ended, Execution
from bench.study.running.live import LiveTable
from bench.study.running.planning import Planning
from bench.study.running.resources import Spread
from bench.study.running.state import CellState
from bench.study.steps.cache import StepCache
from bench.study.steps.graph import Cell
from bench.study.steps.result import RESULT, finish
from bench.train.distributed.ray_session import ray_session

STUDY = """title: t
data: {kind: synthetic, preset: tiny, size: 64, train: 4, val: 4}
variant: retinanet_tiny
input: {mode: as_is}
train: {epochs: 4, batch_size: 4, warmup_iterations: 2}
rows: {a: {}, b: {train.momentum: 0.8}}
search:
  {row: a, METHOD, keep: 2, space: {train.lr: {low: 0.001, high: 0.1, log: true}}}
"""
COSTS = {"gpu_hours": 0.0, "wall_hours": 0.0, "peak_memory_mb": 0.0, "cost": {}}


class Listener:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.ended: list[str] = []

    def open(self, plan: list[Cell]) -> None:
        self.opened += [cell.title for cell in plan]

    def finished(self, cell: Cell, state: CellState) -> None:
        self.ended.append(state.title)


@pytest.fixture
def cache(tmp_path: Path) -> StepCache:
    return StepCache(tmp_path / "runs")


def planning(cache: StepCache, text: str) -> Planning:
    file = cache.root / "study.yaml"
    file.write_text(text)
    return Planning(load_study(file), cache.root, {})


def end(cache: StepCache, cell: Cell, at: float) -> CellState:
    """As if all steps of a cell had been done by then."""
    train = cell.row.recipe.train
    metrics = {"AP": train.until - abs(train.lr - 0.03)}
    for step in cell.steps:
        finish(cache.folder(step), COSTS | {"metrics": metrics})
        os.utime(cache.folder(step) / RESULT, (at, at))
    return CellState(cell.title, "done", metrics=metrics)


def play(cache: StepCache, text: str, random: Random, ends: int) -> tuple[list[Cell], int]:
    """What is asked for when so many cells end, one at a time and in any order; and how many did not end."""
    told, asked, under_way = dict[str, Ended](), list[Cell](), list[Cell]()
    plan = planning(cache, text)
    for at in range(ends):
        new = plan.next(told)
        for cell in new:
            told.pop(cell.title, None)
        asked, under_way = asked + new, under_way + new
        if not under_way:
            break
        cell = under_way.pop(random.randrange(len(under_way)))
        told[cell.title] = cell, end(cache, cell, at=1000.0 + at)
    new = plan.next(told)
    return asked + new, len(under_way + new)


@pytest.mark.parametrize("ends", [1, 9, 14, 99])
@pytest.mark.parametrize("method", ["asha", "halving"])
@pytest.mark.parametrize("seed", range(3))
def test_after_an_interruption_a_search_decides_as_before(cache: StepCache, method: str, ends: int, seed: int) -> None:
    text, listener = STUDY.replace("METHOD", f"method: {method}, trials: 12, rungs: 3, at_once: 6"), Listener()
    asked, left = play(cache, text, Random(seed), ends)
    execution = Execution(planning(cache, text).next, cache, Spread(), listener)
    wanted = {(cell.title, cell.score.name) for cell in asked}
    assert {(cell.title, cell.score.name) for cell in execution.plan} == wanted
    assert sum(not state.finished for state in execution.states.values()) == left
    assert {cell.title for cell in asked} == set(execution.states)
    if left:
        unfinished = {title for title, state in execution.states.items() if not state.finished}
        assert unfinished <= set(listener.opened)
        assert not unfinished & set(listener.ended)
    else:
        assert listener.opened == [], "nothing is to be done"
        assert not execution.missing
        assert any(cell.row.trial_of and not cell.row.stops_early for cell, _ in execution.ended)


@pytest.mark.timeout(600)
def test_asha_takes_a_trial_further_before_the_last_of_its_rung_has_ended(cache: StepCache) -> None:
    """On a GPU that trainings leave to the predictions from which the search learns how to go on."""
    one_row = STUDY.replace(", b: {train.momentum: 0.8}", "")
    text = one_row.replace("METHOD", "method: asha, trials: 4, rungs: 2, at_once: 2")
    execution = Execution(planning(cache, text).next, cache, Spread(), Listener())
    with ray_session(num_gpus=1) as session:
        execution.run(LiveTable("asha", execution.states.values(), io.StringIO()), session)
    trials = [cell for cell in execution.plan if cell.row.trial_of]
    first = [cache.done_at(cell.steps[0]) for cell in trials if cell.row.stops_early]
    further = [cache.done_at(cell.steps[0]) for cell in trials if cell.row.after]
    assert len(first) == 4
    assert min(further) < max(first)
    assert not Execution(planning(cache, text).next, cache, Spread(), Listener()).missing
