"""Trainings on the workers of a Ray cluster: a lost one is replaced, and the run goes on from its last checkpoint.

Where the number of workers may change, it does so at a checkpoint, too: each worker then has another share of a batch.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ray
import ray.train
import torch
from ray.train import TrainingFailedError, WorkerGroupError
from ray.train.torch import TorchConfig, TorchTrainer

from bench.data.store import Store
from bench.errors import StepFailed, UserError
from bench.train.checkpoint import State, read_state, write_state
from bench.train.distributed.place import Place
from bench.train.distributed.ray_session import set_defaults
from bench.train.distributed.workers import Workers
from bench.train.job import Job, leave_weights, prepare
from bench.train.loop import Hooks, Outcome, Training, fit
from bench.train.records import NonFiniteLoss

STATE_FILE = "state.pt"
WAIT = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"
"""For room for all workers: a busy cluster has some in minutes; where fewer would do, one should soon ask for fewer."""
START_FAILURES = 3
"""How often a group of workers may fail to start before the run is given up; Ray itself would try for ever."""


def train_on_ray(job: Job, workers: Workers, *, hooks: Hooks | None = None) -> Outcome:
    """Like `bench.train.job.train`, on workers; the weights end up in the job's folder on this machine."""
    digest = job.digest(Store.open(Path(job.store)).fingerprint)
    outcome, state = run(
        partial(prepare, job),
        workers,
        storage=job.out,
        name=f"ray-{digest}",
        keep=job.train.keep_checkpoints,
        hooks=hooks,
    )
    leave_weights(job, state)
    return outcome


def run(
    prepare: Callable[[Place], Training],
    workers: Workers,
    *,
    storage: str,
    name: str,
    keep: int = 2,
    hooks: Hooks | None = None,
) -> tuple[Outcome, State]:
    """Blocks until the training is done; the same storage and name again go on from there, or give what was done."""
    set_defaults()
    trainer = TorchTrainer(
        _work,
        train_loop_config={"prepare": prepare, "hooks": hooks, "threads": workers.threads},
        torch_config=TorchConfig(backend=workers.backend),
        scaling_config=ray.train.ScalingConfig(
            num_workers=(workers.fewest, workers.count) if workers.elastic else workers.count,
            use_gpu=workers.gpus > 0,
            resources_per_worker=workers.resources,
        ),
        run_config=ray.train.RunConfig(
            name=name,
            storage_path=storage,
            failure_config=ray.train.FailureConfig(
                max_failures=workers.max_failures, controller_failure_limit=START_FAILURES
            ),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=keep),
            logging_config=ray.train.LoggingConfig(log_level="ERROR"),
        ),
    )
    try:
        with _patience(workers):
            result = trainer.fit()
    except TrainingFailedError as error:
        raise _plain(error) from error
    if isinstance(result.return_value, Exception):
        raise result.return_value
    with result.checkpoint.as_directory() as folder:
        state = read_state(Path(folder) / STATE_FILE)
    if state is None:
        raise StepFailed(f"the last checkpoint in {result.path} cannot be read: delete that folder and run again")
    return result.return_value, state


@contextmanager
def _patience(workers: Workers) -> Iterator[None]:
    """How long workers wait for room, if the user has not said it; this process may train on others afterwards."""
    said = os.environ.get(WAIT)
    os.environ[WAIT] = said or ("20" if workers.elastic else "300")
    try:
        yield
    finally:
        if said is None:
            del os.environ[WAIT]


class RayCheckpoints:
    """Checkpoints that Ray keeps where all workers reach them; a report without one would leave no trace."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def latest(self) -> State | None:
        """The newest that can be read."""
        newest = ray.train.get_checkpoint()
        if newest is None:
            return None
        state = _read(newest)
        if state is not None:
            return state
        older = [reported.checkpoint for reported in ray.train.get_all_reported_checkpoints()]
        return next((state for state in map(_read, reversed(older)) if state is not None), None)

    def save(self, iteration: int, state: Callable[[], State], metrics: dict[str, float]) -> None:
        report = metrics | {"iteration": iteration}
        if self.place.rank != 0:
            ray.train.report(report)
            return
        with tempfile.TemporaryDirectory() as folder:
            write_state(Path(folder) / STATE_FILE, state() | {"metrics": metrics})
            ray.train.report(report, checkpoint=ray.train.Checkpoint.from_directory(folder))


def _work(config: dict[str, Any]) -> Outcome | Exception:
    """One worker. Faults that all workers meet alike are handed back, not raised: to try again would not help."""
    context = ray.train.get_context()
    place = Place(ray.train.torch.get_device(), context.get_world_rank(), context.get_world_size())
    torch.set_num_threads(config["threads"])
    try:
        training = config["prepare"](place)
    except UserError as error:
        return error
    try:
        return fit(training, RayCheckpoints(place), config["hooks"])
    except NonFiniteLoss as error:
        return error


def _read(checkpoint: ray.train.Checkpoint) -> State | None:
    with checkpoint.as_directory() as folder:
        return read_state(Path(folder) / STATE_FILE)


def _plain(error: TrainingFailedError) -> Exception:
    """The first worker's own error, if it is one of ours; else one line of what went wrong."""
    failures = error.worker_failures.values() if isinstance(error, WorkerGroupError) else []
    causes = [getattr(failure, "_base_exc", failure) for failure in failures]
    ours = [cause for cause in causes if isinstance(cause, (UserError, StepFailed))]
    if ours:
        return ours[0]
    lines = [line.strip() for line in str(causes[0] if causes else error).splitlines() if line.strip()]
    return StepFailed(f"the training on Ray failed: {lines[-1]}")
