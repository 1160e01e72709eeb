"""Runs the missing steps of a plan: trainings through Ray Tune, predictions and scores as Ray tasks once ready."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from bench.score.protocols.coco import ABSENT
from bench.study.running.live import LiveTable
from bench.study.running.resources import Spread
from bench.study.running.state import CellState, Status, reason_of
from bench.study.running.trainings import Trainings
from bench.study.steps.cache import StepCache
from bench.study.steps.graph import Cell, Kind, Step, unique_steps
from bench.study.steps.locks import Locks
from bench.study.steps.result import ERROR, TRACEBACK
from bench.study.steps.work import clear_predictions, do_step, predict_share
from bench.train.distributed.ray_session import Session
from bench.train.distributed.workers import Workers

POLL_SECONDS = 0.25
ACTIVE: dict[Kind, Status] = {"train": "training", "predict": "predicting", "score": "scoring"}
# How much of a cell's time its steps take, for the progress of the whole.
SHARE: dict[Kind, float] = {"train": 0.9, "predict": 0.07, "score": 0.03}


Ended = tuple[Cell, CellState]


class Listener(Protocol):
    """Hears of cells before there is something to do for them, and of each that ends."""

    def open(self, plan: Sequence[Cell]) -> None: ...

    def finished(self, cell: Cell, state: CellState) -> None: ...


class Nobody:
    """For a run in which nothing happens, or whose states say enough."""

    def open(self, plan: Sequence[Cell]) -> None: ...

    def finished(self, cell: Cell, state: CellState) -> None: ...


class Execution:
    """One run over cells that may become more: `more` says which, at first and after each that has ended.

    A row that a search takes further is the same row, and takes the place of what it was.
    """

    def __init__(
        self,
        more: Callable[[Mapping[str, Ended]], Sequence[Cell]],
        cache: StepCache,
        spread: Spread,
        listener: Listener,
    ) -> None:
        self.cache, self.spread, self._more, self._listener = cache, spread, more, listener
        self.plan: list[Cell] = []
        """All that was ever asked for."""
        self.cells: dict[str, Cell] = {}
        self.states: dict[str, CellState] = {}
        self.steps: dict[str, Step] = {}
        self.done: set[str] = set()
        self.failed: dict[str, str] = {}
        self._told: dict[str, Ended] = {}
        self._locks = Locks(cache.root)
        self._session: Session | None = None
        self._at_once = 1
        self._tasks: dict[Any, Step] = {}
        self._workers: dict[str, Workers] = {}
        self._trainings = Trainings(cache, self._workers)
        self._add(more({}))
        self._ask_for_more()

    @property
    def missing(self) -> list[Step]:
        """Steps that have to run."""
        return [step for name, step in self.steps.items() if name not in self.done]

    @property
    def ended(self) -> list[Ended]:
        """In the order in which they were asked for."""
        return [self._told[title] for title in self.states if title in self._told]

    def run(self, live: LiveTable, session: Session) -> None:
        """Blocks until every cell has ended."""
        self._session, self._at_once = session, max(1, int(session.cpus))
        self._spread_over(self.plan, session)
        try:
            while not all(state.finished for state in self.states.values()):
                self._collect()
                self._start_ready()
                self._settle()
                self._ask_for_more()
                live.refresh()
                time.sleep(POLL_SECONDS)
        finally:
            self._trainings.stop()
            self._locks.free_all()

    def interrupt(self, reason: str) -> None:
        """Marks what did not end."""
        for title, state in self.states.items():
            if not state.finished:
                state.status, state.reason = "interrupted", reason
                self._listener.finished(self.cells[title], state)

    def _ask_for_more(self) -> None:
        """Tells of each cell by itself, in the order in which they ended: so a search that does not wait for all of
        them decides after an interruption as it did before."""
        while new := [state for title, state in self.states.items() if state.finished and title not in self._told]:
            first = min(new, key=lambda state: state.ended_at)
            self._told[first.title] = self.cells[first.title], first
            self._add(self._more(self._told))

    def _add(self, plan: Sequence[Cell]) -> None:
        self.plan += plan
        steps = {step.name: step for step in unique_steps(plan) if step.name not in self.steps}
        for step in steps.values():
            self.cache.share(step)
        self.steps |= steps
        self.done |= {name for name, step in steps.items() if self.cache.done(step)}
        if self._session:
            self._spread_over(plan, self._session)
        added = {cell.title: cell for cell in plan}
        for title, cell in added.items():
            self.cells[title], self.states[title] = cell, CellState(title)
            self._told.pop(title, None)
            self._look_at(cell, self.states[title])
            self.states[title].cached = self.states[title].status in ("done", "stopped")
        if not all(self.states[title].cached for title in added):
            self._begin(added)

    def _begin(self, added: Mapping[str, Cell]) -> None:
        """Work on new cells, some of which may have ended: those that stopped early may have gone further, too, and
        whoever keeps their record is better told at the end."""
        cells = [cell for title, cell in added.items() if not (self.states[title].cached and cell.row.stops_early)]
        self._listener.open(cells)
        for cell in cells:
            if self.states[cell.title].finished:
                self._listener.finished(cell, self.states[cell.title])

    def _spread_over(self, plan: Sequence[Cell], session: Session) -> None:
        workers = self.spread.of_steps(plan, session)
        for name in workers.keys() - self.done - self._workers.keys():
            workers[name].check_fits(session)
            self._workers[name] = workers[name]

    def _start_ready(self) -> None:
        under_way = {step.name for step in self._tasks.values()} | self._trainings.open
        ready = [
            step
            for step in self.missing
            if step.name not in under_way | self.failed.keys() and all(need in self.done for need in step.needs)
        ]
        for step in ready:
            if step.kind == "train":
                if self._ours(step):
                    self._trainings.add(step)
            # No more at once than there are CPUs: every further process would load all libraries anew.
            elif len(self._tasks) < self._at_once and self._ours(step):
                self._start(step)
        self._trainings.go_on()

    def _start(self, step: Step) -> None:
        """A prediction by as many workers as its training had; scores need no GPU."""
        import ray

        workers, folder, needs = self._workers[step.name], self.cache.folder(step), self.cache.folders_of_needs(step)
        # No CPU is asked for: these steps are short, and waiting behind trainings would hold back a row.
        task = ray.remote(num_cpus=0, num_gpus=workers.gpus if step.kind == "predict" else 0, max_retries=2)
        shares = []
        if step.kind == "predict" and workers.count > 1:
            clear_predictions(folder)
            work = (step.work, folder, Path(needs[0]))
            shares = [task(predict_share).remote(*work, rank, workers.count) for rank in range(workers.count)]
        self._tasks[task(do_step).remote(step, str(folder), needs, *shares)] = step

    def _ours(self, step: Step) -> bool:
        """Whether this run is to do a step: nobody else is at it, and nobody has done it since we looked."""
        if not self._locks.take(step.name):
            return False
        if self.cache.done(step):
            self._end(step, "")
            return False
        return True

    def _collect(self) -> None:
        import ray

        for name, reason in self._trainings.ended():
            self._end(self.steps[name], reason)
        ended, _ = ray.wait(list(self._tasks), num_returns=len(self._tasks), timeout=0) if self._tasks else ([], [])
        for reference in ended:
            step = self._tasks.pop(reference)
            try:
                ray.get(reference)
            except Exception as error:
                (self.cache.folder(step) / TRACEBACK).write_text(str(error))
                self._end(step, reason_of(error))
            else:
                self._end(step, "")

    def _end(self, step: Step, reason: str) -> None:
        self._locks.free(step.name)
        if reason:
            self.failed[step.name] = reason
            (self.cache.folder(step) / ERROR).write_text(reason + "\n")
        else:
            self.done.add(step.name)
            self.cache.share(step)

    def _settle(self) -> None:
        """Brings the states of the cells up to date and tells of those that ended."""
        for title, state in self.states.items():
            if state.finished:
                continue
            self._look_at(self.cells[title], state)
            if state.finished:
                self._listener.finished(self.cells[title], state)

    def _look_at(self, cell: Cell, state: CellState) -> None:
        state.fraction = 0.0
        for step in cell.steps:
            if step.name in self.failed:
                state.status, state.reason = "failed", self.failed[step.name]
                return
            if step.name not in self.done:
                progress = self.cache.progress(step) if step.kind == "train" else {}
                part = progress.get("fraction", 0.0)
                state.fraction += SHARE[step.kind] * part
                state.note = progress.get("note", "")
                state.status = "waiting" if step.kind == "train" and not progress else ACTIVE[step.kind]
                return
            state.fraction += SHARE[step.kind]
        state.status, state.note = "done", ""
        state.metrics, state.ended_at = self._metrics(cell), self.cache.done_at(cell.score)
        if cell.row.stops_early:
            reached = f", AP {100 * state.metrics['AP']:.1f}" if "AP" in state.metrics else ""
            state.status, state.reason = "stopped", f"after {cell.row.recipe.train.until:.0%} of its training{reached}"

    def _metrics(self, cell: Cell) -> dict[str, float]:
        """What the leaderboard shows of a cell: the protocol's numbers that exist for these data, and the costs."""
        train, predict, score = map(self.cache.result, cell.steps)
        costs = {name: train[name] for name in ("gpu_hours", "wall_hours")}
        memory = {"memory_gb": train["peak_memory_mb"] / 2**10}
        return {**{k: v for k, v in score["metrics"].items() if v != ABSENT}, **predict["cost"], **costs, **memory}
