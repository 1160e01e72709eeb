"""What a run of a study would do: its steps, what is cached, and how long the rest may take."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.data.store import Store
from bench.study.definition.spec import Study
from bench.study.estimate import SECONDS_A_TERAFLOP, estimate, training_teraflops
from bench.study.steps.cache import StepCache
from bench.study.steps.datasets import data_is_prepared, prepared_data
from bench.study.steps.graph import Cell, Step, cells, data_digest


def dry_run(study: Study, storage: Path) -> str:
    """As text; of a search its first round."""
    if not data_is_prepared(study, storage.resolve()):
        rows = ", ".join(row.name for row in study.rows)
        what = f"the data are not prepared yet: all steps of {len(study.seeds)} x ({rows}) would run"
        return "\n".join([what, *_skipped(study), _whole_cost(study)])
    cache = StepCache(storage)
    first = study.searching().next({}) if study.searching else ()
    plan = cells(replace(study, rows=study.rows + first), prepared_data(study, cache.root))
    lines = [f"{study.name} ({study.profile}): {study.title}"]
    lines += [_line(cell, cache) for cell in plan]
    wanted = {step.name: step.kind for cell in plan for step in cell.steps if not cache.done(step)}
    counts = [f"{list(wanted.values()).count(kind)} to {kind}" for kind in ("train", "predict", "score")]
    cost = _cost_of_the_rest(plan, cache)
    return "\n".join([*lines, *_skipped(study), "steps that would run: " + ", ".join(counts), cost])


def _skipped(study: Study) -> list[str]:
    return [f"  {row.name:<32} skipped: {row.reason}" for row in study.skipped]


def _whole_cost(study: Study) -> str:
    whole = estimate(study)
    return f"all of it from nothing: {whole.trainings} trainings, very roughly {_time(whole.gpu_hours)} of one GPU"


def _cost_of_the_rest(plan: Sequence[Cell], cache: StepCache) -> str:
    """By the speed of the trainings that are done, if there are any; else what a GPU might need."""
    trainings: dict[str, tuple[Step, Cell]] = {cell.steps[0].name: (cell.steps[0], cell) for cell in plan}
    done = [one for one in trainings.values() if cache.done(one[0])]
    if len(done) == len(trainings):
        return "nothing is left to train"
    left = sum(_teraflops(cell) for step, cell in trainings.values() if not cache.done(step))
    what = f"{len(trainings) - len(done)} trainings are left"
    if not done:
        return f"{what}: very roughly {_time(left * SECONDS_A_TERAFLOP / 3600)} of one GPU"
    speeds = sorted(_worker_hours(cache.result(step)) / _teraflops(cell) for step, cell in done)
    hours = left * speeds[len(speeds) // 2]
    return f"{what}: about {_time(hours)} of one worker, by the speed of the {len(done)} that are done"


def _teraflops(cell: Cell) -> float:
    train = cell.steps[0].work
    return training_teraflops(cell.row.recipe, len(Store.open(Path(train.store))))


def _worker_hours(result: dict[str, float]) -> float:
    return result["wall_hours"] * result.get("workers", 1)


def _time(hours: float) -> str:
    if hours > 2:
        return f"{hours:.0f} hours"
    return f"{60 * hours:.0f} minutes" if hours > 1 / 60 else "less than a minute"


def _line(cell: Cell, cache: StepCache) -> str:
    steps = [f"{step.name} {'cached' if cache.done(step) else 'to do'}" for step in cell.steps]
    return f"  {cell.title:<32} data {data_digest(cell.row)[:8]}  {'  '.join(steps)}"
