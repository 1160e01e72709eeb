"""Random integers that depend on seed, split and scene only; Philox's raw stream is fixed by its definition."""

import zlib

import numpy as np


class Draws:
    """A stream of draws for one scene."""

    def __init__(self, seed: int, split: str, index: int) -> None:
        self._bits = np.random.Philox(key=np.array([seed, zlib.crc32(split.encode()) << 32 | index], np.uint64))
        self._words: list[int] = []

    def below(self, n: int) -> int:
        """One of 0..n-1."""
        if not self._words:
            self._words = self._bits.random_raw(256).tolist()
        return self._words.pop() % n

    def between(self, low: int, high: int) -> int:
        """One of low..high, both included; `low` where the range is empty."""
        return low + self.below(high - low + 1) if high > low else low

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent
