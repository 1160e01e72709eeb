"""Pairs of boxes of one group, block by block: in order of their groups, boxes meet only a band beside the diagonal."""

from collections.abc import Iterator, Sequence

from torch import Tensor


def group_ends(ordered_groups: Tensor) -> list[int]:
    """For each position of sorted groups, where its group ends."""
    sizes = ordered_groups.unique_consecutive(return_counts=True)[1]
    ends: list[int] = sizes.cumsum(0).repeat_interleave(sizes).tolist()
    return ends


def blocks(begins: Sequence[int], ends: Sequence[int], on_gpu: bool) -> Iterator[tuple[slice, slice]]:
    """Rows in blocks that fit the cache, or the GPU, each with the columns that they meet.

    Row i meets the columns from `begins[i]` to `ends[i]`; neither ever falls from row to row.
    """
    rows, pairs = (1024, 2**24) if on_gpu else (128, 2**18)
    start = 0
    while start < len(ends):
        taken = min(rows, len(ends) - start)
        while taken > 1 and taken * (ends[start + taken - 1] - begins[start]) > pairs:
            taken //= 2
        yield slice(start, start + taken), slice(begins[start], ends[start + taken - 1])
        start += taken
