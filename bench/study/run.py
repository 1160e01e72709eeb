"""Runs a study: prepares its data, does what is missing, judges, and keeps the record, also when interrupted."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import Interrupted, StepFailed
from bench.study.cache import StepCache
from bench.study.datasets import prepared_data
from bench.study.execution import Execution
from bench.study.graph import Cell, Splits, cells
from bench.study.inventory import note_users
from bench.study.judge import as_record, verdicts
from bench.study.live import LiveTable
from bench.study.recorder import Recorder
from bench.study.remote import Remote
from bench.study.resources import Spread
from bench.study.spec import Row, Study
from bench.study.state import CellState
from bench.track.tracker import Tracker
from bench.train.ray_session import Session

TIDY_UP = "finished rows are kept; the same command goes on from there"

Ended = dict[str, tuple[Cell, CellState]]
"""By title the cells that have ended, each as it ended last: a search takes some of its rows further."""


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
    ended: Ended = {}
    splits: dict[str, Splits] = {}
    with (
        Tracker(tracking, cache.root) as tracker,
        Recorder(tracker, study, cache, splits) as recorder,
        Cluster(address) as cluster,
    ):
        for rows in _rounds(study, ended):
            part = replace(study, rows=rows)
            splits |= prepared_data(part, cache.root)
            plan = cells(part, splits)
            execution = Execution(plan, cache, spread, recorder.finished)
            if execution.missing:
                recorder.open(plan)
                _execute(execution, study, cluster)
            note_users(cache.root, f"{study.name} ({study.profile})", plan)
            ended |= {cell.title: (cell, state) for cell, state in zip(plan, execution.states, strict=True)}
        recorder.tell(ended.values())
        judged = verdicts(study, list(ended.values()), cache)
        tracker.judge(study.name, study.profile, [as_record(verdict) for verdict in judged])
    return Finished(study, tuple(state for _, state in ended.values()))


def _rounds(study: Study, ended: Ended) -> Iterator[tuple[Row, ...]]:
    """The study's rows, then those that its search makes of what is known by then."""
    yield study.rows
    while study.searching and (rows := study.searching.next(_results(ended))):
        yield rows


def _results(ended: Ended) -> dict[str, dict[str, float] | None]:
    """Metrics of each row, means over its seeds; None where one of them did not come to an end."""
    rows: dict[str, list[CellState]] = {}
    for cell, state in ended.values():
        rows.setdefault(cell.row.name, []).append(state)
    scored = {name: all(state.status in ("done", "stopped") for state in own) for name, own in rows.items()}
    return {name: _mean(own) if scored[name] else None for name, own in rows.items()}


def _mean(states: Sequence[CellState]) -> dict[str, float]:
    shared = set.intersection(*(set(state.metrics) for state in states))
    return {name: sum(state.metrics[name] for state in states) / len(states) for name in shared}


class Cluster:
    """Joined or started when there is first something to do on it, left at the end."""

    def __init__(self, address: str | None) -> None:
        self._address, self._left = address, ExitStack()
        self._session: Session | None = None

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *error: Any) -> None:
        self._left.close()

    def session(self) -> Session:
        from bench.train.ray_session import ray_session

        if self._session is None:
            self._session = self._left.enter_context(ray_session(self._address))
        return self._session


def _execute(execution: Execution, study: Study, cluster: Cluster) -> None:
    live = LiveTable(f"{study.name}: {study.title}", execution.states)
    execution.tell_cached()
    try:
        execution.run(live, cluster.session())
    except KeyboardInterrupt:
        execution.interrupt("stopped by the user")
        raise Interrupted(TIDY_UP) from None
    finally:
        live.close()
