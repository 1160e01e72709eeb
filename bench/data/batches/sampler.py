"""Which rows a training batch holds: one order for any number of ranks, resumable at any batch."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.input import InputConfig
from bench.data.store import Store
from bench.errors import UserError
from detectors.distributed import share_of


@dataclass(frozen=True)
class Plan:
    """One rank's part of one batch."""

    epoch: int
    number: int
    rows: tuple[int, ...]


class TrainSampler:
    """Shuffles rows anew every epoch into global batches, landscape and portrait apart, and gives each rank its part.

    Every row comes once an epoch; the last batch is filled up from the epoch's start. `batch_size` is that of
    all ranks together.
    """

    def __init__(
        self, store: Store, config: InputConfig, batch_size: int, seed: int, rank: int, world_size: int
    ) -> None:
        self.seed, self.batch_size = seed, batch_size
        self.share = share_of(batch_size, rank, world_size)
        if batch_size < world_size:
            raise UserError(
                f"a batch of {batch_size} images cannot be shared by {world_size} workers",
                where="train.batch_size",
                remedy=f"use {batch_size} workers at most, or a larger batch",
            )
        usable = store.column("usable") > 0 if config.skip_empty else np.ones(len(store), bool)
        self.rows = np.flatnonzero(usable)
        if not len(self.rows):
            raise UserError(
                "no image has an object to train on", where=str(store.path), remedy="prepare it from annotated images"
            )
        landscape = store.column("width") >= store.column("height")
        self.groups = (
            landscape[self.rows].astype(np.int64) if config.group_by_aspect else np.zeros(len(self.rows), np.int64)
        )

    @property
    def batches_per_epoch(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The global batches of an epoch, [batches, batch_size]. Leftovers of the groups share the last ones."""
        bits = np.random.Philox(key=np.array([self.seed, epoch], np.uint64)).random_raw(2 * len(self.rows))
        shuffled = np.argsort(bits[: len(self.rows)], kind="stable")
        groups = [shuffled[self.groups[shuffled] == group] for group in (0, 1)]
        whole = [len(group) // self.batch_size * self.batch_size for group in groups]
        full = np.concatenate([group[:end] for group, end in zip(groups, whole, strict=True)]).reshape(
            -1, self.batch_size
        )
        full = full[np.argsort(bits[len(self.rows) :][: len(full)], kind="stable")]
        rest = np.concatenate([group[end:] for group, end in zip(groups, whole, strict=True)])
        missing = -len(rest) % self.batch_size
        rest = np.concatenate([rest, np.resize(shuffled, missing)]).reshape(-1, self.batch_size)
        return self.rows[np.concatenate([full, rest])]

    def plans(self, epoch: int, number: int) -> Iterator[Plan]:
        """This rank's batches from a place on, for ever."""
        while True:
            order = self.order(epoch)
            for batch in range(number, len(order)):
                own = order[batch, self.share.start : self.share.stop]
                yield Plan(epoch, batch, tuple(own.tolist()))
            epoch, number = epoch + 1, 0
