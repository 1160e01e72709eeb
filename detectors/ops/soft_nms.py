"""Soft-NMS (Bodla et al., 2017): a chosen box lowers the scores of those it overlaps instead of removing them.

The choices of a group (image x class) are sequential by nature, so all groups choose together, in tables of
[groups, boxes] for groups of like size. Tables shrink as boxes are chosen or fall below the least score.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import torch
from torch import Tensor

SHRINK_EVERY = 16
"""Choices between two looks at what is left."""


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    method: Literal["linear", "gaussian"] = "linear",
    iou_threshold: float = 0.3,
    sigma: float = 0.5,
    min_score: float = 1e-3,
    groups: Tensor | None = None,
    max_keep: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Indices of the kept boxes by falling final score, and those scores; at most `max_keep` of each group.

    linear: s <- s (1 - IoU) where IoU > `iou_threshold`; gaussian: s <- s exp(-IoU^2 / `sigma`), always. A box is kept
    if its score is at least `min_score` when its turn comes; of equal scores the lower index comes first.
    """
    decay = {"linear": partial(_linear, iou_threshold), "gaussian": partial(_gaussian, sigma)}.get(method)
    if decay is None:
        raise ValueError(f"method: {method!r} is unknown; use 'linear' or 'gaussian'")
    exact = torch.cat([boxes.detach().double(), scores.detach().double()[:, None]], 1)
    final = exact.new_full((len(exact),), -1)
    for table in _tables(torch.zeros_like(scores, dtype=torch.int64) if groups is None else groups):
        chosen, values = _choose(table, exact, decay, min_score, max_keep)
        final[chosen] = values
    keep = (final >= 0).nonzero().squeeze(1)
    keep = keep[final[keep].argsort(descending=True, stable=True)]
    return keep, final[keep].to(scores.dtype)


def _linear(iou_threshold: float, iou: Tensor) -> Tensor:
    return torch.where(iou > iou_threshold, 1 - iou, 1)


def _gaussian(sigma: float, iou: Tensor) -> Tensor:
    return iou.square_().div_(-sigma).exp_()


def _tables(groups: Tensor) -> Iterator[Tensor]:
    """Members of groups [groups, boxes] in rising index, then -1; on a CPU no row is more than three quarters empty."""
    order = groups.argsort(stable=True)
    sizes = groups[order].unique_consecutive(return_counts=True)[1]
    starts = sizes.cumsum(0) - sizes
    likeness = torch.zeros_like(sizes) if groups.is_cuda else torch.frexp(sizes.double()).exponent // 2
    for like in likeness.unique():
        size, start = sizes[likeness == like, None], starts[likeness == like, None]
        column = torch.arange(int(size.max()), device=groups.device)
        yield torch.where(column < size, order[(start + column).clamp(max=len(order) - 1)], -1)


def _choose(
    table: Tensor, exact: Tensor, decay: Callable[[Tensor], Tensor], min_score: float, max_keep: int | None
) -> tuple[Tensor, Tensor]:
    """What the groups of a table choose, and the scores at that time."""
    boxes = exact[table].movedim(-1, 0).contiguous()
    scores = boxes[4].masked_fill_((table < 0) | ~(boxes[4] >= min_score), -1)
    row = torch.arange(len(table), device=table.device)
    chosen, values = [table.new_empty(0)], [scores.new_empty(0)]
    for step in range(table.shape[1] if max_keep is None else min(max_keep, table.shape[1])):
        if step % SHRINK_EVERY == 0:
            table, boxes = _shrink(table, boxes, min_score)
            scores, row = boxes[4], row[: len(table)]
            if table.numel() == 0:
                break
        value, column = scores.max(1)
        chosen.append(table[row, column])
        values.append(value)
        scores *= decay(_iou(boxes[:, row, column, None], boxes))
        scores[row, column] = -1
    all_chosen, all_values = torch.cat(chosen), torch.cat(values)
    kept = all_values >= max(min_score, 0)
    return all_chosen[kept], all_values[kept]


def _iou(chosen: Tensor, boxes: Tensor) -> Tensor:
    """IoU of one box a group [5, groups, 1] with its group's [5, groups, boxes]; 0 without any area."""
    (x1, y1, x2, y2, _), (u1, v1, u2, v2, _) = chosen, boxes
    width = (torch.minimum(x2, u2) - torch.maximum(x1, u1)).clamp_(min=0)
    intersection = width.mul_((torch.minimum(y2, v2) - torch.maximum(y1, v1)).clamp_(min=0))
    union = ((u2 - u1) * (v2 - v1)).add_((x2 - x1) * (y2 - y1)).sub_(intersection)
    return intersection.div_(union.clamp_(min=torch.finfo(union.dtype).tiny))


def _shrink(table: Tensor, boxes: Tensor, min_score: float) -> tuple[Tensor, Tensor]:
    """Without groups that have nothing left to choose, and without columns that no group needs, once that pays."""
    left = boxes[4] >= max(min_score, 0)
    width = left.sum(1)
    busy, widest = width > 0, int(width.max())
    if widest == 0:
        return table[:0], boxes[:, :0]
    if 2 * widest > table.shape[1] and bool(busy.all()):
        return table, boxes
    column = (~left[busy]).byte().argsort(dim=1, stable=True)[:, :widest]
    return table[busy].gather(1, column), boxes[:, busy].gather(2, column.expand(5, -1, -1))
