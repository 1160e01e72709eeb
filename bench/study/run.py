"""Runs a study: prepares its data, does what is missing, judges, and keeps the record, also when interrupted."""

from dataclasses import dataclass
from pathlib import Path

from bench.errors import Interrupted, StepFailed
from bench.study.definition.spec import Study
from bench.study.running.execution import Execution, Nobody
from bench.study.running.live import LiveTable
from bench.study.running.planning import Planning
from bench.study.running.resources import Spread
from bench.study.running.state import CellState
from bench.study.steps.cache import StepCache
from bench.study.steps.graph import Splits
from bench.study.steps.inventory import note_users
from bench.study.steps.remote import Remote
from bench.study.telling.judge import as_record, verdicts
from bench.study.telling.showing import Showing, Shown

TIDY_UP = "finished rows are kept; the same command goes on from there"


@dataclass(frozen=True)
class Finished:
    """What a run came to: the end state of every cell."""

    study: Study
    states: tuple[CellState, ...]
    shown: Shown

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
    study: Study,
    *,
    storage: Path,
    tracking: str | None,
    spread: Spread,
    address: str | None = None,
    remote: str | None = None,
) -> Finished:
    """Does what is missing of a study and leaves its record; KeyboardInterrupt leaves it well, too."""
    cache = StepCache(storage, Remote(remote) if remote else None)
    showing = Showing(study, cache.root, tracking)
    if showing.record_is_as_it_was and (finished := _finished_before(study, cache, spread, showing)):
        return finished
    execution = _run(study, cache, tracking, spread, address)
    states = tuple(state for _, state in execution.ended)
    return Finished(study, states, showing.anew(execution.plan, states))


def _run(study: Study, cache: StepCache, tracking: str | None, spread: Spread, address: str | None) -> Execution:
    from bench.study.telling.recorder import Recorder
    from bench.track.tracker import Tracker

    splits: dict[str, Splits] = {}
    with Tracker(tracking, cache.root) as tracker, Recorder(tracker, study, cache, splits) as recorder:
        execution = Execution(Planning(study, cache.root, splits).next, cache, spread, recorder)
        try:
            if execution.missing:
                _execute(execution, study, address)
        finally:
            _note_users(study, cache, execution)
        recorder.tell(execution.ended)
        judged = verdicts(study, execution.ended, cache)
        tracker.judge(study.name, study.profile, [as_record(verdict) for verdict in judged])
    return execution


def _finished_before(study: Study, cache: StepCache, spread: Spread, showing: Showing) -> Finished | None:
    """A study of which nothing is missing and everything is on record."""
    execution = Execution(Planning(study, cache.root, {}).next, cache, spread, Nobody())
    shown = None if execution.missing else showing.again(execution.plan)
    if shown is None:
        return None
    _note_users(study, cache, execution)
    return Finished(study, tuple(state for _, state in execution.ended), shown)


def _note_users(study: Study, cache: StepCache, execution: Execution) -> None:
    note_users(cache.root, f"{study.name} ({study.profile})", execution.plan)


def _execute(execution: Execution, study: Study, address: str | None) -> None:
    from bench.train.distributed.ray_session import ray_session

    live = LiveTable(f"{study.name}: {study.title}", execution.states.values())
    try:
        with ray_session(address) as session:
            execution.run(live, session)
    except KeyboardInterrupt:
        execution.interrupt("stopped by the user")
        raise Interrupted(TIDY_UP) from None
    finally:
        live.close()
