"""Runs a study: prepares its data, does what is missing, judges, and keeps the record, also when interrupted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import Interrupted, StepFailed
from bench.study.cache import StepCache
from bench.study.datasets import data_is_prepared, prepared_data
from bench.study.execution import Execution
from bench.study.graph import Cell, cells, data_digest
from bench.study.judge import as_record, verdicts
from bench.study.live import LiveTable
from bench.study.recorder import Recorder
from bench.study.spec import Study
from bench.study.state import CellState
from bench.track.tracker import Tracker
from bench.train.workers import Workers

TIDY_UP = "finished rows are kept; the same command goes on from there"


@dataclass(frozen=True)
class Finished:
    """What a run came to: the end state of every cell."""

    study: Study
    states: tuple[CellState, ...]

    @property
    def failed(self) -> list[CellState]:
        return [state for state in self.states if state.status == "failed"]

    def raise_if_failed(self) -> None:
        """StepFailed naming the first failed row, if there is one."""
        if self.failed:
            first = self.failed[0]
            more = f" (and {len(self.failed) - 1} more)" if len(self.failed) > 1 else ""
            raise StepFailed(f"{first.title} failed{more}: {first.reason}")


def run_study(
    study: Study, *, storage: Path, tracking: str | None, workers: Workers, address: str | None = None
) -> Finished:
    """Does what is missing of a study and leaves its record; KeyboardInterrupt leaves it well, too."""
    cache = StepCache(storage)
    splits = prepared_data(study, cache.root)
    plan = cells(study, splits)
    with Tracker(tracking, cache.root) as tracker, Recorder(tracker, study, cache, splits) as recorder:
        recorder.open(plan)
        execution = Execution(plan, cache, workers, recorder.finished)
        if execution.missing:
            _execute(execution, study, address)
        judged = verdicts(study, plan, execution.states, cache)
        tracker.judge(study.name, study.profile, [as_record(verdict) for verdict in judged])
    return Finished(study, tuple(execution.states))


def _execute(execution: Execution, study: Study, address: str | None) -> None:
    from bench.train.ray_session import ray_session

    live = LiveTable(f"{study.name}: {study.title}", execution.states)
    try:
        with ray_session(address) as session:
            execution.workers.check_fits(session)
            execution.run(live)
    except KeyboardInterrupt:
        execution.interrupt("stopped by the user")
        raise Interrupted(TIDY_UP) from None
    finally:
        live.close()


def dry_run(study: Study, storage: Path) -> str:
    """The steps of a study as text: what is cached and what would run."""
    if not data_is_prepared(study, storage.resolve()):
        rows = ", ".join(row.name for row in study.rows)
        return f"the data are not prepared yet: all steps of {len(study.seeds)} x ({rows}) would run"
    cache = StepCache(storage)
    plan = cells(study, prepared_data(study, cache.root))
    lines = [f"{study.name} ({study.profile}): {study.title}"]
    lines += [_line(cell, cache, plan) for cell in plan]
    wanted = {step.name: step.kind for cell in plan for step in cell.steps if not cache.done(step)}
    counts = [f"{list(wanted.values()).count(kind)} to {kind}" for kind in ("train", "predict", "score")]
    return "\n".join([*lines, "steps that would run: " + ", ".join(counts)])


def _line(cell: Cell, cache: StepCache, plan: Sequence[Cell]) -> str:
    steps = [f"{step.name} {'cached' if cache.done(step) else 'to do'}" for step in cell.steps]
    return f"  {cell.title:<32} data {data_digest(cell.row)[:8]}  {'  '.join(steps)}"
