"""Candidates by group (an image, a level, a class): who comes first within each, and plain NMS within each."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import nms

GPU_CALL = 16384
"""Boxes a call of NMS on a GPU: its memory grows with their square."""


def order_within(groups: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Order by group, then by falling score (ties as they came); beside it each one's place within its group."""
    order = scores.argsort(descending=True, stable=True)
    order = order[groups[order].argsort(stable=True)]
    ordered = groups[order]
    place = torch.arange(len(ordered), device=ordered.device)
    starts = torch.searchsorted(ordered, ordered)
    return order, place - starts


def best_within(groups: Tensor, scores: Tensor, count: int) -> Tensor:
    """Indices of the `count` best of every group, in the order of `order_within`."""
    order, place = order_within(groups, scores)
    return order[place < count]


def grouped_nms(
    boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float, counts: Sequence[int] | None = None
) -> Tensor:
    """Indices that survive NMS within their group, sorted by group and by falling score within one.

    A group's result does not depend on which others are there: offsets that keep groups apart in one call are added
    in float64, since in float32 they would move boxes by up to a tenth of a pixel. Who knows how many boxes each group
    has, in rising order of groups, saves asking the device.
    """
    order, _ = order_within(groups, scores)
    if counts is None:
        counts = torch.unique_consecutive(groups[order], return_counts=True)[1].tolist()
    sizes = list(counts) if boxes.device.type == "cpu" else _chunks(counts, GPU_CALL)
    kept = [
        chunk[_separate_nms(boxes[chunk], scores[chunk], groups[chunk], iou_threshold).sort().values]
        for chunk in order.split(sizes)
    ]
    return torch.cat(kept) if kept else order


def _separate_nms(boxes: Tensor, scores: Tensor, groups: Tensor, iou_threshold: float) -> Tensor:
    if boxes.device.type == "cpu":
        return nms(boxes.float(), scores.float(), iou_threshold)
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
