"""Boxes around ground truth whose IoU with it is exactly uniform (the training boxes of IoU-Net)."""

import torch
from torch import Tensor

BISECTIONS = 44
"""From a bracket of 1 + 1 / IoU to about 1e-13 of it."""


def jitter_boxes_uniform_iou(
    gt: Tensor, per_gt: int, low: float, high: float, generator: torch.Generator | None = None
) -> Tensor:
    """[G, 4] -> [G, per_gt, 4] in the type of `gt`: each box's IoU with its object is drawn evenly from [low, high].

    Each walks from the object in a random direction of (centre x, centre y, log width, log height), measured in the
    object's sides, to where bisection finds its IoU: nothing is rejected, the top of the range is as full as the rest.
    """
    if not 0 <= low <= high <= 1:
        raise ValueError(f"low, high: [{low}, {high}] is no range of IoU; use 0 <= low <= high <= 1")
    device = generator.device if generator is not None else gt.device
    shape = (len(gt), per_gt)
    draw = torch.rand(shape, dtype=torch.float64, generator=generator, device=device).to(gt.device)
    direction = torch.randn((*shape, 4), dtype=torch.float64, generator=generator, device=device).to(gt.device)
    return boxes_at_iou(gt.unsqueeze(1), low + (high - low) * draw, direction)


def boxes_at_iou(gt: Tensor, iou: Tensor, direction: Tensor) -> Tensor:
    """[..., 4], [...] and [..., 4] -> [..., 4]: boxes of this IoU with the objects, along a direction of any length."""
    unit = _walk_to(iou.double(), torch.nn.functional.normalize(direction.double(), dim=-1))
    corner, side = gt.double().chunk(2, -1)
    side = side - corner
    return (torch.cat([corner, corner], -1) + unit * torch.cat([side, side], -1)).to(gt.dtype)


def _walk_to(iou: Tensor, direction: Tensor) -> Tensor:
    """Boxes [..., 4] at this IoU with the unit box, along directions of length 1.

    Some component is at least 1/2; a side ratio of at least 1 / IoU, or a shift of (1 + 1 / IoU) / 2 when sides stay
    within it, leaves no more than this IoU: the answer lies within a distance of 1 + 1 / IoU.
    """
    near = torch.zeros_like(iou)
    far = 1 + 1 / iou.clamp(min=1e-6)
    for _ in range(BISECTIONS):
        middle = (near + far) / 2
        beyond = _iou_with_unit(_moved(middle, direction)) < iou
        near, far = torch.where(beyond, near, middle), torch.where(beyond, middle, far)
    return _moved(near, direction)


def _moved(distance: Tensor, direction: Tensor) -> Tensor:
    shift, log_side = (distance.unsqueeze(-1) * direction).chunk(2, -1)
    half = log_side.exp() / 2
    return torch.cat([0.5 + shift - half, 0.5 + shift + half], -1)


def _iou_with_unit(boxes: Tensor) -> Tensor:
    x1, y1, x2, y2 = boxes.unbind(-1)
    width = (x2.clamp(max=1) - x1.clamp(min=0)).clamp(min=0)
    intersection = width * (y2.clamp(max=1) - y1.clamp(min=0)).clamp(min=0)
    return intersection / (1 + (x2 - x1) * (y2 - y1) - intersection)
