"""Memory for batches that is used again, and shared with loader processes: no new pages, no copies through pipes."""

import math
import mmap
import weakref
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Slots:
    """Pieces of memory of one size. The process that trains takes one for each batch that it asks for, whoever fills
    it; the slot comes back by itself once nothing looks at that batch any more.

    Pages are backed when first written, so a generous size costs nothing. Forked processes share the memory.
    """

    def __init__(self, count: int, size: int) -> None:
        self.size = size
        self._memory = mmap.mmap(-1, count * size) if count else None
        self._free = list(range(count))

    def __reduce__(self) -> Any:
        """A process that was not forked has no slots, and makes its batches elsewhere."""
        return Slots, (0, self.size)

    def take(self) -> int | None:
        """A slot that no one uses; None while batches that are still looked at have them all."""
        return self._free.pop() if self._free else None

    def give_back(self, slot: int) -> None:
        self._free.append(slot)

    def fits(self, slot: int | None, shape: tuple[int, ...]) -> bool:
        """Whether there is such a slot, and room in it."""
        return slot is not None and self._memory is not None and math.prod(shape) <= self.size

    def memory(self, slot: int | None, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """An array with anything in it: in the slot where it fits, else somewhere else."""
        if slot is None or not self.fits(slot, shape):
            return np.empty(shape, np.uint8)
        return self._array(slot, shape)

    def lend(self, slot: int, shape: tuple[int, ...]) -> Tensor:
        """A batch that lies in a slot. The slot is free again when the last tensor of this memory is gone."""
        array = self._array(slot, shape)
        weakref.finalize(array, self.give_back, slot).atexit = False
        return torch.from_numpy(array)

    def _array(self, slot: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        assert self._memory is not None
        return np.frombuffer(self._memory, np.uint8, math.prod(shape), slot * self.size).reshape(shape)
