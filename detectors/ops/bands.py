"""Pairs of boxes of one group, block by block: boxes in order of their group meet only a band beside the diagonal."""

from collections.abc import Iterator

from torch import Tensor


def group_ends(ordered_groups: Tensor) -> list[int]:
    """For each position of sorted groups, where its group ends."""
    sizes = ordered_groups.unique_consecutive(return_counts=True)[1]
    ends: list[int] = sizes.cumsum(0).repeat_interleave(sizes).tolist()
    return ends


def blocks(ends: list[int], on_gpu: bool) -> Iterator[tuple[int, int, int]]:
    """Positions in blocks (start, stop, where the last one's group ends), small enough for the cache or the GPU."""
    rows, pairs = (1024, 2**24) if on_gpu else (128, 2**18)
    start = 0
    while start < len(ends):
        taken = min(rows, len(ends) - start)
        while taken > 1 and taken * (ends[start + taken - 1] - start) > pairs:
            taken //= 2
        yield start, start + taken, ends[start + taken - 1]
        start += taken
