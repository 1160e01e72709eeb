"""Geometry of boxes [..., 4] as (x1, y1, x2, y2), half-open and continuous: no +1 anywhere, every 0 / 0 is 0.

Half precision and integers are measured in float32: the area of an image does not fit into float16.
"""

import torch
from torch import Tensor


def area(boxes: Tensor) -> Tensor:
    """[..., 4] -> [...]; an inverted box has no area."""
    x1, y1, x2, y2 = _measurable(boxes).unbind(-1)
    return (x2 - x1).clamp(min=0) * (y2 - y1).clamp(min=0)


def pairwise_intersection(first: Tensor, second: Tensor) -> Tensor:
    """The area that boxes share: [..., N, 4] and [..., M, 4] -> [..., N, M]; the leading dimensions broadcast."""
    x1, y1, x2, y2 = _measurable(first).unsqueeze(-2).unbind(-1)
    u1, v1, u2, v2 = _measurable(second).unsqueeze(-3).movedim(-1, 0).contiguous()  # rows that vectorise
    width = (torch.minimum(x2, u2) - torch.maximum(x1, u1)).clamp_(min=0)
    return width * (torch.minimum(y2, v2) - torch.maximum(y1, v1)).clamp_(min=0)


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """[..., N, 4] and [..., M, 4] -> [..., N, M]."""
    intersection = pairwise_intersection(first, second)
    return _ratio(intersection, area(first).unsqueeze(-1) + area(second).unsqueeze(-2) - intersection)


def pairwise_intersection_over_first(first: Tensor, second: Tensor) -> Tensor:
    """The share of each first box that each second one, a crowd for instance, covers: shapes as in `pairwise_iou`."""
    return _ratio(pairwise_intersection(first, second), area(first).unsqueeze(-1))


def aligned_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU of box i with box i: [..., 4] and [..., 4] -> [...]."""
    intersection = _intersection(first, second)
    return _ratio(intersection, area(first) + area(second) - intersection)


def aligned_giou(first: Tensor, second: Tensor) -> Tensor:
    """Generalised IoU of box i with box i, in [-1, 1]: IoU less the part of the enclosing box that neither covers."""
    first, second = _measurable(first), _measurable(second)
    intersection = _intersection(first, second)
    union = area(first) + area(second) - intersection
    top_left = torch.minimum(first[..., :2], second[..., :2])
    bottom_right = torch.maximum(first[..., 2:], second[..., 2:])
    enclosing = area(torch.cat([top_left, bottom_right], -1))
    return _ratio(intersection, union) - _ratio(enclosing - union, enclosing)


def purity(boxes: Tensor, gt: Tensor) -> Tensor:
    """How much of box i is object i (DIR): intersection / area of the box, [N]."""
    return _ratio(_intersection(boxes, gt), area(boxes))


def integrity(boxes: Tensor, gt: Tensor) -> Tensor:
    """How much of object i is in box i (DIR): intersection / area of the object, [N]."""
    return _ratio(_intersection(boxes, gt), area(gt))


def iou_from_purity_integrity(p: Tensor, i: Tensor) -> Tensor:
    """IoU = 1 / (1/P + 1/I - 1), written so that P = 0 or I = 0 gives 0."""
    return _ratio(p * i, p + i - p * i)


def iou_logit_from_purity_integrity_logits(a: Tensor, b: Tensor) -> Tensor:
    """The logit of the combined IoU from those of purity and integrity: 1/P + 1/I - 1 = 1 + exp(-a) + exp(-b)."""
    return -torch.logaddexp(-a, -b)


def clip(boxes: Tensor, size: tuple[int, int] | Tensor) -> Tensor:
    """Boxes inside an image of (height, width); a tensor [..., 2] holds one size a box and broadcasts."""
    height, width = size.to(boxes).unbind(-1) if isinstance(size, Tensor) else size
    x1, y1, x2, y2 = (side.clamp(min=0) for side in boxes.unbind(-1))
    return torch.stack([x1.clamp(max=width), y1.clamp(max=height), x2.clamp(max=width), y2.clamp(max=height)], -1)


def _measurable(boxes: Tensor) -> Tensor:
    return boxes if boxes.dtype in (torch.float32, torch.float64) else boxes.float()


def _intersection(first: Tensor, second: Tensor) -> Tensor:
    first, second = _measurable(first), _measurable(second)
    top_left = torch.maximum(first[..., :2], second[..., :2])
    width, height = (torch.minimum(first[..., 2:], second[..., 2:]) - top_left).clamp(min=0).unbind(-1)
    return width * height


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, and 0 with gradient 0 where there is no whole."""
    exists = whole > 0
    return torch.where(exists, part / whole.where(exists, 1), 0)
