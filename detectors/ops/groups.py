"""Candidates by group (an image, a level, a class): who comes first within each, and plain NMS within each."""

from collections.abc import Sequence

import torch
from torch import Tensor

GPU_CALL = 16384
"""Boxes a call of NMS on a GPU: its memory grows with their square."""
SMALL = 64
"""Boxes a group, on a CPU: up to here comparing all pairs of many groups at once beats a call for each."""
PAIRS = 2**16
"""Pairs of boxes a table."""


def order_within(groups: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Order by group, then by falling score (ties as they came); beside it each one's place within its group."""
    order = _order(groups, scores)
    ordered = groups[order]
    place = torch.arange(len(ordered), device=ordered.device)
    starts = torch.searchsorted(ordered, ordered)
    return order, place - starts


def _order(groups: Tensor, scores: Tensor) -> Tensor:
    order = scores.argsort(descending=True, stable=True)
    return order[groups[order].argsort(stable=True)]


def best_within(groups: Tensor, scores: Tensor, count: int) -> Tensor:
    """Indices of the `count` best of every group, in the order of `order_within`."""
    order, place = order_within(groups, scores)
    return order[place < count]


def grouped_nms(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float, counts: Sequence[int] | None = None
) -> Tensor:
    """Indices that survive NMS within their group, sorted by group and by falling score within one.

    A group's result does not depend on which others are there: boxes are never moved apart in float32, which would
    shift them by up to a tenth of a pixel. Who knows how many boxes each group has, in rising order of groups, saves
    asking the device.
    """
    order = _order(groups, scores)
    if counts is None:
        counts = torch.unique_consecutive(groups[order], return_counts=True)[1].tolist()
    if boxes.device.type == "cpu":
        return order[_survivors(boxes[order].float(), torch.tensor(counts, dtype=torch.int64), iou_threshold)]
    kept = [
        chunk[_apart_nms(boxes[chunk], scores[chunk], groups[chunk], iou_threshold).sort().values]
        for chunk in order.split(_chunks(counts, GPU_CALL))
    ]
    return torch.cat(kept) if kept else order


def _apart_nms(boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    """One call for all groups, kept apart by offsets in float64."""
    from torchvision.ops import nms

    apart = boxes.double()
    apart = apart + (groups * (apart.max() - apart.min() + 1))[:, None]
    return nms(apart, scores.double(), iou_threshold)


def _chunks(counts: Sequence[int], limit: int) -> list[int]:
    """Neighbouring groups joined while together they stay within the limit."""
    sizes: list[int] = []
    for count in counts:
        if sizes and sizes[-1] + count <= limit:
            sizes[-1] += count
        else:
            sizes.append(count)
    return sizes


def _survivors(boxes: Tensor, sizes: Tensor, iou_threshold: float) -> Tensor:
    """[N] bool of boxes that lie by group and by falling score: a call for each large group, tables of small ones."""
    from torchvision.ops import nms

    left = torch.ones(len(boxes), dtype=torch.bool)
    starts = sizes.cumsum(0) - sizes
    large = (sizes > SMALL).nonzero().squeeze(1)
    for start, size in zip(starts[large].tolist(), sizes[large].tolist(), strict=True):
        left[start : start + size] = False
        left[start + nms(boxes[start : start + size], torch.arange(size, 0, -1).float(), iou_threshold)] = True
    for alike in _alike(sizes):
        column = torch.arange(int(sizes[alike[-1]]))
        inside = column < sizes[alike, None]
        place = (starts[alike, None] + column).clamp_(max=len(boxes) - 1)
        left[place[inside]] = _table_survivors(boxes[place], iou_threshold)[inside]
    return left


def _alike(sizes: Tensor) -> Sequence[Tensor]:
    """Indices of the small groups of at least two, by rising size, in parts of about `PAIRS` pairs of boxes."""
    small, order = sizes.where((sizes > 1) & (sizes <= SMALL), 0).sort()
    order, small = order[small > 0], small[small > 0]
    part = small.square().cumsum(0).div_(PAIRS, rounding_mode="floor")
    return order.split(part.unique_consecutive(return_counts=True)[1].tolist())


def _table_survivors(boxes: Tensor, iou_threshold: float) -> Tensor:
    """[G, N] bool of ranked boxes [G, N, 4]; rounds as torchvision's loop does, which divides in float32.

    Each pass settles at least one more box of a row; few are needed, as chains of boxes that suppress the next are
    short.
    """
    corners = boxes.movedim(-1, 0).contiguous()
    low, high = corners[:2], corners[2:]
    area = (high - low).prod(0)
    sides = torch.minimum(high[..., None], high[:, :, None]).sub_(torch.maximum(low[..., None], low[:, :, None]))
    width, height = sides.clamp_(min=0)
    shared = width.mul_(height)
    iou = shared / (area[:, :, None] + area[:, None]).sub_(shared)
    later = torch.ones(iou.shape[1:], dtype=torch.bool).triu_(1)
    suppresses = (iou > _at_most(iou_threshold)).logical_and_(later).float()
    left, settled = torch.zeros_like(area), torch.ones_like(area)
    while not torch.equal(left, settled):
        left, settled = settled, ((settled[:, None] @ suppresses)[:, 0] == 0).float()
    return left.bool()


def _at_most(threshold: float) -> float:
    """The largest float32 that is not above: comparing float32 values with it is comparing them with the threshold."""
    rounded = torch.tensor(threshold, dtype=torch.float32)
    if rounded.item() > threshold:
        rounded = torch.nextafter(rounded, torch.tensor(-torch.inf))
    return rounded.item()
