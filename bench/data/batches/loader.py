"""Batches for training and for evaluation: padded uint8 images, targets, and the rows they come from."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.data.batches import sample as samples
from bench.data.batches.augment import augment, generator
from bench.data.batches.pipeline import Batching, batches, largest_batch
from bench.data.batches.sample import Sample
from bench.data.batches.sampler import Plan, TrainSampler
from bench.data.input import InputConfig, View
from bench.data.store import Store
from bench.errors import UserError
from detectors.images import ImageBatch

Target = dict[str, Tensor]
TrainBatch = tuple[ImageBatch, list[Target], Tensor]
EvalBatch = tuple[ImageBatch, Tensor, Tensor]


class TrainLoader:
    """Endless batches, `len()` of them an epoch.

    `state_dict()` after a batch names the next one, and a loader that is given it goes on there.
    """

    def __init__(
        self, store: Store, config: InputConfig, sampler: TrainSampler, num_workers: int, pin_memory: bool
    ) -> None:
        self.sampler, self.epoch, self.number = sampler, 0, 0
        self._make = _TrainMaker(store, config, sampler.seed)
        self._how = Batching(largest_batch(store, [config], len(sampler.share)), num_workers, pin_memory)

    def __len__(self) -> int:
        """Batches an epoch."""
        return self.sampler.batches_per_epoch

    def __iter__(self) -> Iterator[TrainBatch]:
        plans = self.sampler.plans(self.epoch, self.number)
        for images, (plan, arrays) in batches(self._make, plans, self._how):
            self.epoch, self.number = plan.epoch, plan.number + 1
            yield images, [_tensors(target) for target in arrays], torch.tensor(plan.rows)

    def set_epoch(self, epoch: int) -> None:
        """The next iteration starts at the beginning of this epoch."""
        self.epoch, self.number = epoch, 0

    def state_dict(self) -> dict[str, int]:
        return {
            "epoch": self.epoch,
            "number": self.number,
            "seed": self.sampler.seed,
            "batch_size": self.sampler.batch_size,
        }

    def load_state_dict(self, state: dict[str, int]) -> None:
        own = self.state_dict()
        for name in ("seed", "batch_size"):
            if state[name] != own[name]:
                raise UserError(
                    f"a checkpoint of {name} {state[name]} cannot go on with {name} {own[name]}", remedy="start anew"
                )
        self.epoch, self.number = state["epoch"], state["number"]


def train_loader(
    store: Store,
    input: InputConfig,
    *,
    batch_size: int,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    num_workers: int = 0,
    pin_memory: bool = False,
) -> TrainLoader:
    """Shuffled, augmented batches of `batch_size` on all ranks together; their order does not depend on the ranks."""
    sampler = TrainSampler(store, input, batch_size, seed, rank, world_size)
    return TrainLoader(store, input, sampler, num_workers, pin_memory)


def eval_loader(
    store: Store,
    input: InputConfig,
    *,
    batch_size: int,
    rank: int = 0,
    world_size: int = 1,
    num_workers: int = 0,
    pin_memory: bool = False,
    views: Sequence[View] | None = None,
) -> "EvalLoader":
    """Every image once over all ranks, in order; `batch_size` is that of this rank.

    With `views`, of `input.views()`, each batch comes once a view, before the next batch.
    """
    rows = range(rank, len(store), world_size)
    return EvalLoader(store, views or [View(input)], rows, batch_size, num_workers, pin_memory)


class EvalLoader:
    """Yields (images, scales [B, 2] in x and y, rows); original boxes of image i are `boxes / scales[i].repeat(2)`."""

    def __init__(
        self,
        store: Store,
        views: Sequence[View],
        rows: Sequence[int],
        batch_size: int,
        num_workers: int,
        pin_memory: bool,
    ) -> None:
        self._make = _EvalMaker(store)
        parts = [tuple(rows[i : i + batch_size]) for i in range(0, len(rows), batch_size)]
        self._plans = [(part, view) for part in parts for view in views]
        largest = largest_batch(store, [view.input for view in views], batch_size)
        self._how = Batching(largest, num_workers, pin_memory)

    def __len__(self) -> int:
        return len(self._plans)

    def __iter__(self) -> Iterator[EvalBatch]:
        for images, (rows, scales) in batches(self._make, self._plans, self._how):
            yield images, torch.from_numpy(scales), torch.tensor(rows)


class _TrainMaker:
    """Makes the samples of training batches."""

    def __init__(self, store: Store, config: InputConfig, seed: int) -> None:
        self.store, self.config, self.seed = store, config, seed

    def __call__(self, plan: Plan) -> tuple[list[Sample], int, tuple[Plan, list[dict[str, Any]]]]:
        made = [
            augment(samples.load(self.store, row, self.config), self.config, generator(self.seed, plan.epoch, row))
            for row in plan.rows
        ]
        return made, self.config.multiple_of, (plan, [_target(sample) for sample in made])


class _EvalMaker:
    """Makes the samples of evaluation batches, and what brings their boxes back."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __call__(
        self, plan: tuple[tuple[int, ...], View]
    ) -> tuple[list[Sample], int, tuple[Sequence[int], NDArray[np.float32]]]:
        rows, view = plan
        seen = [_seen(samples.load(self.store, row, view.input), view) for row in rows]
        scales = np.array([scale for _, scale in seen], np.float32)
        return [sample for sample, _ in seen], view.input.multiple_of, (rows, scales)


def _seen(sample: Sample, view: View) -> tuple[Sample, tuple[float, float]]:
    """A sample as a view shows it, and what its width and height were multiplied with."""
    height, width = view.input.target_size(*sample.size, view.input.eval_size())
    scale = (width / sample.size[1], height / sample.size[0])
    return samples.resize(samples.flip(sample) if view.mirrored else sample, height, width), scale


def _target(sample: Sample) -> dict[str, Any]:
    fields = {
        "boxes": sample.boxes,
        "labels": sample.labels,
        "area": sample.area.astype(np.float32),
        "iscrowd": sample.iscrowd,
    }
    return fields if sample.masks is None else {**fields, "masks": sample.masks}


def _tensors(target: dict[str, Any]) -> Target:
    return {name: value if isinstance(value, Tensor) else torch.from_numpy(value) for name, value in target.items()}
