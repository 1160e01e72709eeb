"""Runs the missing steps of a plan: trainings through Ray Tune, predictions and scores as Ray tasks once ready."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from bench.score.coco import ABSENT
from bench.study.cache import ERROR, TRACEBACK, StepCache
from bench.study.graph import Cell, Kind, Step, unique_steps
from bench.study.live import LiveTable
from bench.study.locks import Locks
from bench.study.resources import Spread
from bench.study.state import CellState, Status, reason_of
from bench.study.trainings import Trainings
from bench.study.work import do_step
from bench.train.ray_session import Session
from bench.train.workers import Workers

POLL_SECONDS = 0.25
ACTIVE: dict[Kind, Status] = {"train": "training", "predict": "predicting", "score": "scoring"}
# How much of a cell's time its steps take, for the progress of the whole.
SHARE: dict[Kind, float] = {"train": 0.9, "predict": 0.07, "score": 0.03}


class Execution:
    """One run over a plan; `finished` hears of each cell that ends, with its state."""

    def __init__(
        self,
        plan: Sequence[Cell],
        cache: StepCache,
        spread: Spread,
        finished: Callable[[Cell, CellState], None],
    ) -> None:
        self.plan, self.cache, self.spread, self._finished = plan, cache, spread, finished
        self.steps = {step.name: step for step in unique_steps(plan)}
        for step in self.steps.values():
            cache.share(step)
        self.done = {name for name, step in self.steps.items() if cache.done(step)}
        self.failed: dict[str, str] = {}
        self._locks = Locks(cache.root)
        self._at_once = 1
        self._tasks: dict[Any, Step] = {}
        self._workers: dict[str, Workers] = {}
        self._trainings = Trainings([], cache, self._workers)
        self.states = [CellState(cell.title) for cell in plan]
        for cell, state in zip(plan, self.states, strict=True):
            self._look_at(cell, state)
            state.cached = state.finished

    @property
    def missing(self) -> list[Step]:
        """Steps that have to run."""
        return [step for name, step in self.steps.items() if name not in self.done]

    def tell_cached(self) -> None:
        for cell, state in zip(self.plan, self.states, strict=True):
            if state.finished:
                self._finished(cell, state)

    def run(self, live: LiveTable, session: Session) -> None:
        """Blocks until every cell has ended."""
        self._at_once = max(1, int(session.cpus))
        self._workers = self.spread.of_steps(self.plan, session)
        for step in self.missing:
            self._workers[step.name].check_fits(session)
        try:
            while not all(state.finished for state in self.states):
                self._collect()
                self._start_ready()
                self._settle()
                live.refresh()
                time.sleep(POLL_SECONDS)
        finally:
            self._trainings.stop()
            self._locks.free_all()

    def interrupt(self, reason: str) -> None:
        """Marks what did not end."""
        for cell, state in zip(self.plan, self.states, strict=True):
            if not state.finished:
                state.status, state.reason = "interrupted", reason
                self._finished(cell, state)

    def _start_ready(self) -> None:
        under_way = {step.name for step in self._tasks.values()} | self._trainings.open
        ready = [
            step
            for step in self.missing
            if step.name not in under_way | self.failed.keys() and all(need in self.done for need in step.needs)
        ]
        if self._trainings.over:
            trainings = [step for step in ready if step.kind == "train" and self._ours(step)]
            self._trainings = Trainings(trainings, self.cache, self._workers)
        for step in ready:
            # No more at once than there are CPUs: every further process would load all libraries anew.
            if step.kind != "train" and len(self._tasks) < self._at_once and self._ours(step):
                self._start(step)

    def _start(self, step: Step) -> None:
        import ray

        # No CPU is asked for: these steps are short, and waiting behind trainings would hold back a row.
        remote = ray.remote(num_cpus=0, num_gpus=self._workers[step.name].gpus, max_retries=2)(do_step)
        self._tasks[remote.remote(step, str(self.cache.folder(step)), self.cache.folders_of_needs(step))] = step

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
        for cell, state in zip(self.plan, self.states, strict=True):
            if state.finished:
                continue
            self._look_at(cell, state)
            if state.finished:
                self._finished(cell, state)

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
        state.metrics = self._metrics(cell)
        if cell.row.stops_early:
            reached = f", AP {100 * state.metrics['AP']:.1f}" if "AP" in state.metrics else ""
            state.status, state.reason = "stopped", f"after {cell.row.recipe.train.until:.0%} of its training{reached}"

    def _metrics(self, cell: Cell) -> dict[str, float]:
        """What the leaderboard shows of a cell: the protocol's numbers that exist for these data, and the costs."""
        train, predict, score = map(self.cache.result, cell.steps)
        costs = {name: train[name] for name in ("gpu_hours", "wall_hours")}
        memory = {"memory_gb": train["peak_memory_mb"] / 2**10}
        return {**{k: v for k, v in score["metrics"].items() if v != ABSENT}, **predict["cost"], **costs, **memory}
