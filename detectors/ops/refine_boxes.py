"""Optimisation-based box refinement (IoU-Net, Algorithm 2): climb the predicted IoU by moving the box."""

from collections.abc import Callable

import torch
from torch import Tensor


def refine_boxes(
    boxes: Tensor,
    iou_fn: Callable[[Tensor], Tensor],
    *,
    step: float = 0.5,
    steps: int = 5,
    stop_delta: float = 0.001,
    max_drop: float = -0.01,
    keep_worse: bool = True,
) -> tuple[Tensor, Tensor]:
    """Boxes [N, 4] after at most `steps` gradient steps, and their IoU by `iou_fn` ([N, 4] -> [N], each box by itself).

    A step is `step` x gradient x the box's width and height, once. A box stops when its IoU changes by less than
    `stop_delta` or falls by more than |`max_drop`|, and keeps the box of that step, as the paper prints it; without
    `keep_worse` it goes back to the best one that it has passed. All boxes take part in every call of `iou_fn`.
    """
    current = best = boxes.detach().clone()
    score, gradient = _evaluate(iou_fn, current, with_gradient=steps > 0)
    best_score, moving = score, torch.ones_like(score, dtype=torch.bool)
    for remaining in reversed(range(steps)):
        current = torch.where(moving[:, None], current + step * gradient * _sides(current), current)
        previous = score
        score, gradient = _evaluate(iou_fn, current, with_gradient=remaining > 0)
        best = torch.where((score > best_score)[:, None], current, best)
        best_score = torch.maximum(score, best_score)
        change = score - previous
        moving &= (change.abs() >= stop_delta) & (change >= -abs(max_drop))
        if not moving.any():
            break
    return (current, score) if keep_worse else (best, best_score)


def _evaluate(iou_fn: Callable[[Tensor], Tensor], boxes: Tensor, with_gradient: bool) -> tuple[Tensor, Tensor]:
    """Scores [N] and their gradient [N, 4], one backward pass for all since no box's score depends on another's."""
    if not with_gradient or len(boxes) == 0:
        with torch.no_grad():
            return iou_fn(boxes), torch.zeros_like(boxes)
    with torch.enable_grad():
        leaf = boxes.detach().requires_grad_()
        score = iou_fn(leaf)
        (gradient,) = torch.autograd.grad(score.sum(), leaf)
    return score.detach(), gradient


def _sides(boxes: Tensor) -> Tensor:
    """(width, height, width, height) of each box."""
    return (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
