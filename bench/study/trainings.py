"""The trainings of a study as trials of one Ray Tune experiment.

A training of one worker runs in the trial's own process, which then takes the next trial: no worker has to start. One
of several workers is a Ray Train run that the trial starts and watches.
"""

import logging
import tempfile
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import Interrupted
from bench.study.cache import ERROR, PROGRESS, TRACEBACK, StepCache
from bench.study.graph import Step
from bench.study.state import reason_of
from bench.study.work import train_step
from bench.train.workers import Workers

WATCHING = {"CPU": 0, "node:__internal_head__": 0.001}
"""What a trial asks for that only watches its workers: no CPU, but a bundle of CPU 0 alone is refused."""

STOP_SECONDS = 30.0


class Work(NamedTuple):
    """A training as a trial's process gets it."""

    step: Step
    folder: str
    before: list[str]
    """The folder of the training that it goes on from."""
    workers: Workers


class Trainings:
    """Runs the tuner in a thread, so that what follows a training need not wait for the others."""

    def __init__(self, steps: Sequence[Step], cache: StepCache, workers: Mapping[str, Workers]) -> None:
        self.cache, self.workers = cache, workers
        self._open = {step.name: step for step in steps}
        self._crash, self._stopped = "", threading.Event()
        for step in steps:
            for leftover in (ERROR, PROGRESS):
                (cache.folder(step) / leftover).unlink(missing_ok=True)
        self._thread = threading.Thread(target=self._run, args=(list(steps),), name="tuner", daemon=True)
        if steps:
            self._thread.start()

    @property
    def open(self) -> set[str]:
        """Names of those that have not ended, as far as `ended` has told."""
        return set(self._open)

    @property
    def over(self) -> bool:
        return not self._open and not self._thread.is_alive()

    def stop(self) -> None:
        """Returns once the tuner has let go of Ray: shut down under it, Ray would end this process there and then."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def ended(self) -> Iterator[tuple[str, str]]:
        """(name, reason) of each training that ended since the last call; the reason is empty when it is done."""
        over = not self._thread.is_alive()
        for name, step in list(self._open.items()):
            error = self.cache.folder(step) / ERROR
            if self.cache.done(step):
                reason = ""
            elif error.is_file():
                reason = error.read_text().strip()
            elif over:
                reason = self._crash or "the trial ended without a result"
            else:
                continue
            del self._open[name]
            yield name, reason

    def _run(self, steps: list[Step]) -> None:
        try:
            _tune([self._work(step) for step in steps], self._stopped)
        except BaseException as error:
            self._crash = f"Ray Tune: {error}".splitlines()[0]

    def _work(self, step: Step) -> Work:
        folder, before = str(self.cache.folder(step)), self.cache.folders_of_needs(step)
        return Work(step, folder, before, self.workers[step.name])


def _tune(work: list[Work], stopped: threading.Event) -> None:
    import ray
    from ray import tune

    # What goes wrong stands in the steps' folders; Tune would print it with its own way there.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    trial = tune.with_parameters(_trial, work=work)
    bundles = [one.workers.resources if one.workers.count == 1 else WATCHING for one in work]
    with tempfile.TemporaryDirectory() as nobody_resumes_it:
        tune.Tuner(
            tune.with_resources(trial, lambda config: tune.PlacementGroupFactory([bundles[config["index"]]])),
            param_space={"index": tune.grid_search(list(range(len(work))))},
            tune_config=tune.TuneConfig(
                max_concurrent_trials=concurrent_trials(ray.cluster_resources(), {one.workers for one in work}),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=nobody_resumes_it,
                verbose=0,
                callbacks=[_silent(), _until(stopped)],
                failure_config=tune.FailureConfig(max_failures=max(one.workers.max_failures for one in work)),
            ),
        ).fit()


def _silent() -> Any:
    """Takes the place of Tune's own reporter, which prints every trial's end whatever the verbosity."""
    from ray.tune.progress_reporter import TrialProgressCallback

    class Silent(TrialProgressCallback):
        def _print(self, msg: str) -> None:
            pass

    return Silent()


def _until(stopped: threading.Event) -> Any:
    """Ends the tuner from within: it heeds no signal outside the main thread."""
    from ray.tune import Callback

    class Until(Callback):
        def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
            if stopped.is_set():
                raise Interrupted

        def __reduce__(self) -> Any:  # Tune saves its callbacks with an experiment that nobody resumes.
            return Callback, ()

    return Until()


def concurrent_trials(cluster: dict[str, float], kinds: Iterable[Workers]) -> int:
    """How many trainings fit at once, if they are of the smallest: waiting trials would hold an actor for nothing."""
    return max(max(1, _fit(cluster, workers)) for workers in kinds)


def _fit(cluster: dict[str, float], workers: Workers) -> int:
    return int(min(cluster.get(name, 0) // (amount * workers.count) for name, amount in workers.resources.items()))


def _trial(config: dict[str, Any], work: list[Work]) -> None:
    step, folder, before, workers = work[config["index"]]
    try:
        train_step(step.work, Path(folder), workers, [Path(one) for one in before])
    except Exception as error:
        (Path(folder) / TRACEBACK).write_text(traceback.format_exc())
        (Path(folder) / ERROR).write_text(reason_of(error) + "\n")
