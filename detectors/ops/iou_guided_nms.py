"""IoU-guided NMS (IoU-Net, Algorithm 1): localisation ranks, a kept box takes the best class score of its cluster."""

import torch
from torch import Tensor

from detectors.ops.bands import blocks, group_ends
from detectors.ops.boxes import area, pairwise_intersection
from detectors.ops.groups import order_within


def iou_guided_nms(
    boxes: Tensor, cls_scores: Tensor, loc_scores: Tensor, iou_threshold: float, groups: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Indices of the kept boxes by falling localisation score, and the highest class score of each one's cluster.

    A box belongs to the cluster of the first box that suppresses it, and of no later one.
    """
    groups = torch.zeros_like(loc_scores, dtype=torch.int64) if groups is None else groups
    order, _ = order_within(groups, loc_scores)
    keeper = order[_first_keepers(boxes[order].detach(), groups[order], iou_threshold)]
    clustered = cls_scores.scatter_reduce(0, keeper, cls_scores[order], "amax")
    keep = order[keeper == order].sort().values
    keep = keep[loc_scores[keep].argsort(descending=True, stable=True)]
    return keep, clustered[keep]


def _first_keepers(boxes: Tensor, ordered_groups: Tensor, iou_threshold: float) -> Tensor:
    """For each box, in order of (group, rank), the position of the one that keeps or suppresses it."""
    keeper = torch.arange(len(boxes), device=boxes.device)
    alive = torch.ones_like(keeper, dtype=torch.bool)
    for rows, columns in blocks(range(len(boxes)), group_ends(ordered_groups), boxes.is_cuda):
        meeting = alive[columns].nonzero().squeeze(1).add_(columns.start)
        ranked = meeting[: int(alive[rows].sum())]
        if len(ranked) == 0:
            continue
        overlap = _overlap(boxes[ranked], boxes[meeting], iou_threshold)
        overlap &= ordered_groups[ranked, None] == ordered_groups[meeting]
        overlap.triu_(1)
        left = _survivors(overlap[:, : len(ranked)])
        overlap = overlap[left]
        suppressed = overlap.any(0).nonzero().squeeze(1)
        losers = meeting[suppressed]
        keeper[losers] = ranked[left][overlap[:, suppressed].byte().argmax(0)]
        alive[losers] = False
    return keeper


def _overlap(first: Tensor, second: Tensor, iou_threshold: float) -> Tensor:
    """IoU > threshold of all pairs, without a division."""
    intersection = pairwise_intersection(first, second)
    union = area(first)[:, None] + area(second) - intersection
    return intersection > union.mul_(iou_threshold)


def _survivors(suppresses: Tensor) -> Tensor:
    """Who is left of ranked boxes where i suppresses j (i < j, [B, B]) if i itself is left.

    Each pass settles at least one more box; few are needed, as chains of boxes that suppress the next are short.
    """
    left = ~suppresses.any(0)
    while True:
        settled = ~(suppresses & left[:, None]).any(0)
        if torch.equal(settled, left):
            return left
        left = settled
