"""What a step looked like: losses kept on the device until someone looks, so that watching costs no waiting."""

import resource
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from bench.errors import StepFailed
from bench.train.distributed.place import Place


@dataclass(frozen=True)
class StepRecord:
    """One step, averaged over the workers. Times are means over the steps since the last look."""

    iteration: int
    """Counted from 1: the number of steps done."""
    iterations: int
    """Steps of the whole run."""
    losses: dict[str, float]
    total: float
    rate: float
    images_per_second: float
    data_seconds: float
    memory_mb: float
    """The most that this worker has used so far: of the GPU, or of the machine's memory when it runs on the CPU."""


REMEDY = "lower train.lr, lengthen train.warmup_iterations or set train.clip_norm"


class NonFiniteLoss(StepFailed):
    """A loss became infinite or not a number; says the step, the losses and the images."""


@dataclass(frozen=True)
class _Pending:
    iteration: int
    rate: float
    names: tuple[str, ...]
    values: Tensor
    images: list[int]


class Records:
    """Collects steps; `flush` waits for the device once, gives their records, and stops a run that has gone astray."""

    def __init__(self, place: Place, batch_size: int, iterations: int) -> None:
        self.place, self.batch_size, self.iterations = place, batch_size, iterations
        self._pending: list[_Pending] = []
        self.restart_clock()

    def add(
        self, iteration: int, rate: float, losses: dict[str, Tensor], images: list[int], data_seconds: float
    ) -> None:
        values = torch.stack([loss.detach().float() for loss in losses.values()])
        self._pending.append(_Pending(iteration, rate, tuple(losses), values, images))
        self._data_seconds += data_seconds

    def flush(self) -> list[StepRecord]:
        if not self._pending:
            return []
        own = torch.stack([step.values for step in self._pending])
        shared = self._mean_over_ranks(own).tolist()
        for step, mean, mine in zip(self._pending, shared, own.tolist(), strict=True):
            self._check(step, mean, mine)
        seconds = (time.perf_counter() - self._since) / len(self._pending)
        data_seconds = self._data_seconds / len(self._pending)
        speed, memory = self.batch_size / seconds, peak_memory_mb(self.place.device)
        records = [
            StepRecord(
                step.iteration, self.iterations, losses, sum(losses.values()), step.rate, speed, data_seconds, memory
            )
            for step, losses in zip(self._pending, self._named(shared), strict=True)
        ]
        self._pending.clear()
        self.restart_clock()
        return records

    def restart_clock(self) -> None:
        """Leaves out of the speed what was done since the last look."""
        self._since, self._data_seconds = time.perf_counter(), 0.0

    def _named(self, values: list[list[float]]) -> list[dict[str, float]]:
        return [dict(zip(step.names, row, strict=True)) for step, row in zip(self._pending, values, strict=True)]

    def _mean_over_ranks(self, values: Tensor) -> Tensor:
        if self.place.world_size == 1:
            return values
        total = values.clone()
        dist.all_reduce(total)
        return total / self.place.world_size

    def _check(self, step: _Pending, mean: list[float], mine: list[float]) -> None:
        if torch.tensor(mean).isfinite().all():
            return
        fault_is_here = not torch.tensor(mine).isfinite().all()
        images = f"images {step.images}" if fault_is_here else "images of another worker"
        losses = ", ".join(f"{name} {value:.4g}" for name, value in zip(step.names, mine, strict=True))
        raise NonFiniteLoss(
            f"the loss is not finite at step {step.iteration} (rate {step.rate:.3g}): {losses}; {images}; {REMEDY}"
        )


def gone_astray(where: str, iteration: int, images: list[int]) -> NonFiniteLoss:
    """For a step that could not even give its losses."""
    return NonFiniteLoss(f"the output of {where} is not finite at step {iteration}, images {images}; {REMEDY}")


def forget_peak_memory(device: torch.device) -> None:
    """Counts anew from here: a process may train one detector after another."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        with suppress(OSError):  # only Linux has it
            Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
