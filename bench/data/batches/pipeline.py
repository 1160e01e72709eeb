"""From plans to batches, made in this process or by loader processes, in memory that is used again."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bench.data.batches.batch import padded
from bench.data.batches.sample import Sample
from bench.data.batches.slots import Slots
from bench.data.input import InputConfig
from bench.data.store import Store
from detectors.images import ImageBatch

AHEAD = 2
"""Batches that each loader process makes ahead."""
IN_USE = 3
"""Batches that the training looks at: the one of this step, the next one, and one that is about to be dropped."""
END = object()
T = TypeVar("T")

Make = Callable[[Any], tuple[list[Sample], int, Any]]
"""Makes the samples of a plan; gives them with what sides are rounded up to, and with whatever belongs to the batch."""


@dataclass(frozen=True)
class Batching:
    """How batches are made: the bytes of the largest one, loader processes, pinned memory."""

    size: int
    num_workers: int
    pin_memory: bool


def batches(make: Make, plans: Iterable[Any], how: Batching) -> Iterator[tuple[ImageBatch, Any]]:
    """The batch of each plan, in their order, with what `make` gave to it."""
    made = _made(make, plans, how)
    return one_ahead((images.pin_memory(), more) for images, more in made) if how.pin_memory else made


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items; a thread makes the next one while this one is used. Copies to pinned memory need no lock."""
    with ThreadPoolExecutor(1) as beside:
        coming = beside.submit(next, items, END)
        while (item := coming.result()) is not END:
            coming = beside.submit(next, items, END)
            yield item  # type: ignore[misc]


def _made(make: Make, plans: Iterable[Any], how: Batching) -> Iterator[tuple[ImageBatch, Any]]:
    slots = Slots(how.num_workers * AHEAD + IN_USE, how.size)
    loader = DataLoader(
        _Filled(make, slots),
        batch_size=None,
        sampler=_Asked(plans, slots),
        num_workers=how.num_workers,
        prefetch_factor=AHEAD if how.num_workers else None,
        collate_fn=_as_it_is,
    )
    for slot, pixels, sizes, more in loader:
        yield ImageBatch(_received(slots, slot, pixels).permute(0, 3, 1, 2), sizes), more


def largest_batch(store: Store, inputs: Iterable[InputConfig], images: int) -> int:
    """The bytes of so many images at their largest. Only SSD's zooming out of images left as they are exceeds it."""
    height, width = (int(store.column(side).max()) for side in ("height", "width"))
    return max(_padded_bytes(input.largest(height, width), input.multiple_of) for input in inputs) * images


def _padded_bytes(size: tuple[int, int], multiple_of: int) -> int:
    rows, columns = (-(-side // multiple_of) * multiple_of for side in size)
    return rows * columns * 3


class _Asked:
    """Plans, each with the slot that its batch shall lie in. As a sampler that no one asks for its length."""

    def __init__(self, plans: Iterable[Any], slots: Slots) -> None:
        self.plans, self.slots = plans, slots

    def __iter__(self) -> Iterator[tuple[Any, int | None]]:
        return ((plan, self.slots.take()) for plan in self.plans)


class _Filled(Dataset[Any]):
    """Makes whole batches: a loader process hands over which slot it filled, and plain arrays."""

    def __init__(self, make: Make, slots: Slots) -> None:
        self.make, self.slots = make, slots

    def __getitem__(self, asked: tuple[Any, int | None]) -> tuple[int | None, Any, Any, Any]:
        plan, slot = asked
        samples, multiple_of, more = self.make(plan)
        images = padded(samples, multiple_of, partial(self.slots.memory, slot))
        pixels = images.pixels.permute(0, 2, 3, 1)
        shape = tuple(pixels.shape)
        return slot, shape if self.slots.fits(slot, shape) else pixels, images.sizes, more


def _received(slots: Slots, slot: int | None, pixels: "Tensor | tuple[int, ...]") -> Tensor:
    """The pixels [B, H, W, 3] of a batch, which lie in the slot unless they came by themselves."""
    if isinstance(pixels, Tensor):
        if slot is not None:
            slots.give_back(slot)
        return pixels
    assert slot is not None
    return slots.lend(slot, pixels)


def _as_it_is(batch: Any) -> Any:
    """Without batching, torch's own collation would turn the arrays into tensors one by one."""
    return batch
