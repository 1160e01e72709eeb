"""The trainings of a study as trials of one Ray Tune experiment.

A training of one worker runs in the trial's own process, which then takes the next trial: no worker has to start. One
of several workers is a Ray Train run that the trial starts and watches.
"""

import logging
import tempfile
import threading
import traceback
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import Interrupted
from bench.study.running.state import reason_of
from bench.study.steps.cache import StepCache
from bench.study.steps.graph import Step
from bench.study.steps.result import ERROR, PROGRESS, TRACEBACK
from bench.study.steps.work import train_step
from bench.train.distributed.workers import Workers

WATCHING = {"CPU": 0, "node:__internal_head__": 0.001}
"""What a trial asks for that only watches its workers: no CPU, but a bundle of CPU 0 alone is refused."""

STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Work:
    """A training as a trial's process gets it."""

    step: Step
    folder: str
    before: list[str]
    """The folder of the training that it goes on from."""
    workers: Workers

    @property
    def bundle(self) -> dict[str, float]:
        return self.workers.resources if self.workers.count == 1 else WATCHING


class Trainings:
    """Runs the tuner in a thread, so that what follows a training need not wait for the others, nor what is added."""

    def __init__(self, cache: StepCache, workers: Mapping[str, Workers]) -> None:
        self.cache, self.workers = cache, workers
        self._open: dict[str, Step] = {}
        self._waiting: deque[Work] = deque()
        self._crash, self._stopped = "", threading.Event()
        self._thread = threading.Thread()

    def add(self, step: Step) -> None:
        """To be trained from the next `go_on` at the latest."""
        for leftover in (ERROR, PROGRESS):
            (self.cache.folder(step) / leftover).unlink(missing_ok=True)
        self._open[step.name] = step
        folder, before = str(self.cache.folder(step)), self.cache.folders_of_needs(step)
        self._waiting.append(Work(step, folder, before, self.workers[step.name]))

    def go_on(self) -> None:
        """Starts a tuner if it takes one: each ends once nothing waits and nothing is under way."""
        if self._waiting and not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="tuner", daemon=True)
            self._thread.start()

    @property
    def open(self) -> set[str]:
        """Names of those that have not ended, as far as `ended` has told."""
        return set(self._open)

    def stop(self) -> None:
        """Returns once the tuner has let go of Ray: shut down under it, Ray would end this process there and then."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def ended(self) -> Iterator[tuple[str, str]]:
        """(name, reason) of each training that ended since the last call; the reason is empty when it is done."""
        over = not self._thread.is_alive() and not self._waiting
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

    def _run(self) -> None:
        try:
            _tune(self._waiting, self._stopped)
        except BaseException as error:
            self._crash = f"Ray Tune: {error}".splitlines()[0]
            self._waiting.clear()


def _tune(waiting: deque[Work], stopped: threading.Event) -> None:
    import ray
    from ray import tune

    # What goes wrong stands in the steps' folders; Tune would print it with its own way there.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    kinds = {work.workers for work in list(waiting)}
    with tempfile.TemporaryDirectory() as nobody_resumes_it:
        tune.Tuner(
            tune.with_resources(_trial, lambda config: tune.PlacementGroupFactory([config["work"].bundle])),
            tune_config=tune.TuneConfig(
                search_alg=_feed(waiting, concurrent_trials(ray.cluster_resources(), kinds)),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="trials",
                storage_path=nobody_resumes_it,
                verbose=0,
                callbacks=[silent(), _until(stopped)],
                failure_config=tune.FailureConfig(max_failures=max(workers.max_failures for workers in kinds)),
            ),
        ).fit()


def _feed(waiting: deque[Work], at_once: int) -> Any:
    """Hands Tune what waits, also what comes to wait while it runs.

    To Tune the search is over whenever nothing waits, and then it keeps no process for later: it would hold a GPU that
    the prediction may need from which a search learns what to train next.
    """
    from ray.tune.search import ConcurrencyLimiter, Searcher
    from ray.tune.search.search_generator import SearchGenerator

    class Next(Searcher):
        def suggest(self, trial_id: str) -> dict[str, Any] | None:
            return {"work": waiting.popleft()} if waiting else None

        def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
            pass

    class Feed(SearchGenerator):
        def is_finished(self) -> bool:
            return not waiting

    return Feed(ConcurrencyLimiter(Next(), at_once))


def silent() -> Any:
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


def _trial(config: dict[str, Any]) -> None:
    work: Work = config["work"]
    folder = Path(work.folder)
    try:
        train_step(work.step.work, folder, work.workers, [Path(one) for one in work.before])
    except Exception as error:
        (folder / TRACEBACK).write_text(traceback.format_exc())
        (folder / ERROR).write_text(reason_of(error) + "\n")
