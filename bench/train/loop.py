"""The training loop. It is plain: take a batch, add up the losses, step; what surrounds that is in the other files."""

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from bench.errors import UserError
from bench.train.checkpoint import Checkpoints, NoCheckpoints, State
from bench.train.config import TrainConfig
from bench.train.distributed.place import Place, check_amp
from bench.train.ema import Ema
from bench.train.optimizer import build_optimizer, clip, load_momenta, set_rate
from bench.train.records import Records, StepRecord, gone_astray
from bench.train.schedule import learning_rate
from bench.train.seeding import repeatable, seed_everything
from bench.train.watching.diagnose import first_not_finite
from detectors.images import ImageBatch

NOTHING_BEHIND: State = {"seconds": 0.0, "worker_seconds": 0.0, "peak_memory_mb": 0.0, "losses": {}}
STATIC_PARTS = ("backbone", "neck")
Batch = tuple[ImageBatch, list[dict[str, Tensor]], Any]


class Batches(Sized, Iterable[Batch], Protocol):
    """Batches without end, `len` of them an epoch, for this worker; its state is where it stands."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Hooks:
    """What the first worker calls, `begin` once before its steps, `step` after every step, `evaluate` before each
    checkpoint for its metrics; and `around`, which every worker enters for as long as it trains."""

    begin: Callable[["Training"], None] = lambda training: None
    step: Callable[[StepRecord], None] = lambda record: None
    evaluate: Callable[[nn.Module, int], dict[str, float]] = lambda model, iteration: {}
    around: Callable[[Place], AbstractContextManager[Any]] = lambda place: nullcontext()


@dataclass(frozen=True)
class Outcome:
    """A training that is done; times and speed are of the whole of it, less what a kill has undone."""

    iterations: int
    resumed_at: int
    """The step from which the last run went on; 0 for a run from the start."""
    seconds: float
    worker_seconds: float
    """Their sum over the workers, who may be more or fewer after a while."""
    images_per_second: float
    peak_memory_mb: float
    losses: dict[str, float]
    """Of the last step."""
    metrics: dict[str, float]
    """What the last evaluation gave."""

    @property
    def past(self) -> State:
        """What a training that goes on from here has behind it."""
        times = {"seconds": self.seconds, "worker_seconds": self.worker_seconds}
        return times | {"peak_memory_mb": self.peak_memory_mb, "losses": self.losses}


class Training:
    """The state of one training on one worker, and how to take a step, save it and go on from what was saved."""

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        config: TrainConfig,
        *,
        seed: int = 0,
        place: Place | None = None,
        digest: str = "",
        before: State | None = None,
    ) -> None:
        """`before` is the end of a training that this one goes on from."""
        place = place or Place()
        check_amp(config.amp, place.device)
        self.model = model.to(place.device).train()
        if config.channels_last:
            self.model.to(memory_format=torch.channels_last)
        self.config, self.batches, self.seed, self.place, self.digest = config, batches, seed, place, digest
        if config.compile:
            compile_static_parts(model)
        self.optimizer = build_optimizer(model, config)
        self.ema = Ema(model, config.ema_decay) if config.ema_decay else None
        self.iteration = 0
        self.before = before
        self.total = config.total_iterations(len(batches))
        self.end = config.last_iteration(self.total)
        self.records = Records(place, config.batch_size, self.end)
        self._forward = place.distribute(model, config.batch_size)

    def step(self, batch: Batch, data_seconds: float) -> None:
        seed_everything(self.seed, self.iteration)
        rate = learning_rate(self.config, self.iteration, self.total, len(self.batches))
        set_rate(self.optimizer, rate)
        losses = self._losses(batch)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack([loss.float() for loss in losses.values()]).sum().backward()
        if self.config.clip_norm:
            clip(self.optimizer, self.config.clip_norm)
        self.optimizer.step()
        if self.ema:
            self.ema.update(self.iteration)
        self.iteration += 1
        self.records.add(self.iteration, rate, losses, [int(index) for index in batch[2]], data_seconds)

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        images, targets, indices = batch
        try:
            with torch.autocast(self.place.device.type, torch.bfloat16, enabled=self.config.amp == "bf16"):
                losses: dict[str, Tensor] = self._forward(self._laid_out(images), targets)
        except (RuntimeError, IndexError) as error:
            # Numbers gone astray can break an operation before there is a loss to look at.
            where = first_not_finite(self.model, lambda: self.model(self._laid_out(images), targets))
            if not where:
                raise
            raise gone_astray(where, self.iteration + 1, [int(index) for index in indices]) from error
        return losses

    def state(self, past: State) -> State:
        """All that a run needs to go on as if it had not stopped."""
        return {
            "iteration": self.iteration,
            "digest": self.digest,
            "model": self.model.state_dict(),
            "ema": self.ema.average if self.ema else None,
            "optimizer": self.optimizer.state_dict(),
            "batches": self.batches.state_dict(),
            "past": past,
        }

    def load(self, state: State) -> None:
        if state["digest"] != self.digest:
            raise UserError(
                f"the checkpoint at step {state['iteration']} is of another training ({state['digest']}, this is "
                f"{self.digest})",
                remedy="choose another output folder, or delete its checkpoints",
            )
        self.iteration = state["iteration"]
        self.model.load_state_dict(state["model"])
        load_momenta(self.optimizer, state["optimizer"])
        self.batches.load_state_dict(state["batches"])
        if self.ema:
            self.ema.load(state["ema"])

    def evaluate(self, evaluate: Callable[[nn.Module, int], dict[str, float]]) -> dict[str, float]:
        """What the weights that would be saved now are worth."""
        self.model.eval()
        try:
            if self.ema is None:
                return evaluate(self.model, self.iteration)
            with self.ema.applied(self.model):
                return evaluate(self.model, self.iteration)
        finally:
            self.model.train()

    def _laid_out(self, images: ImageBatch) -> ImageBatch:
        if not self.config.channels_last:
            return images
        pixels = images.pixels.to(self.place.device, non_blocking=True)
        return ImageBatch(pixels.contiguous(memory_format=torch.channels_last), images.sizes)


def fit(training: Training, checkpoints: Checkpoints | None = None, hooks: Hooks | None = None) -> Outcome:
    """Trains to the end, from the last checkpoint if there is one; a resumed run equals an unbroken one."""
    config, place = training.config, training.place
    checkpoints, hooks = checkpoints or NoCheckpoints(), hooks or Hooks()
    around, hooks = hooks.around(place), hooks if place.rank == 0 else Hooks()
    saved = checkpoints.latest() or training.before
    if saved is not None:
        training.load(saved)
    resumed_at = training.iteration
    past: State = saved["past"] if saved else dict(NOTHING_BEHIND)
    metrics: dict[str, float] = saved["metrics"] if saved else {}
    look_every = 1 if place.device.type == "cpu" else config.log_every
    started = time.perf_counter() - past["seconds"]
    if saved is not None and saved is training.before:
        checkpoints.save(training.iteration, partial(training.state, past), metrics)
    hooks.begin(training)
    training.records.restart_clock()
    with around, repeatable(place.device, config.deterministic):
        for batch, data_seconds in _timed(training.batches, training.end - training.iteration):
            training.step(batch, data_seconds)
            save = training.iteration % config.checkpoint_every == 0 or training.iteration == training.end
            if save or training.iteration % look_every == 0:
                for record in training.records.flush():
                    hooks.step(record)
                seconds = time.perf_counter() - started
                past = {
                    "seconds": seconds,
                    "worker_seconds": past["worker_seconds"] + (seconds - past["seconds"]) * place.world_size,
                    "peak_memory_mb": max(past["peak_memory_mb"], record.memory_mb),
                    "losses": record.losses,
                }
            if save:
                metrics = training.evaluate(hooks.evaluate)
                checkpoints.save(training.iteration, partial(training.state, past), metrics)
                training.records.restart_clock()
    speed = training.iteration * config.batch_size / max(past["seconds"], 1e-9)
    return Outcome(training.iteration, resumed_at, images_per_second=speed, metrics=metrics, **past)


def compile_static_parts(model: nn.Module) -> None:
    """Assignment, sampling and suppression have shapes that follow the data; backbone and neck follow the input's."""
    parts = [part for name in STATIC_PARTS if isinstance(part := getattr(model, name, None), nn.Module)]
    if not parts:
        raise UserError(
            f"{type(model).__name__} has no part to compile", where="train.compile", remedy="set it to false"
        )
    for part in parts:
        part.compile()


def _timed(batches: Iterable[Batch], count: int) -> Iterator[tuple[Batch, float]]:
    """So many batches, each with the seconds that were spent waiting for it."""
    source = iter(batches)
    for _ in range(count):
        asked = time.perf_counter()
        batch = next(source)
        yield batch, time.perf_counter() - asked
