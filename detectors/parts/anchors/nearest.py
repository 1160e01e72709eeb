"""The anchors of a grid that stand nearest to points, found without measuring the distance to all of them."""

import torch
from torch import Tensor

from detectors.parts.anchors import Anchors


def nearest_anchors(anchors: Anchors, points: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """For points [..., 2] the `count` anchors of each level whose centres are nearest: index, exists [..., L * count].

    They all stand within `count` - 1 rows and columns of the nearest location: along either axis that many others are
    nearer than any that stands further off. Only this window is measured. Of anchors at one location, the first count.
    """
    locations = sum(rows * columns for rows, columns in anchors.shapes)
    each = len(anchors) // max(locations, 1)
    first, rows, columns, down, across = anchors.grid.unbind(1)
    origin = anchors.centers[first]
    row = _window((points[..., None, 1] - origin[:, 1]) / down, rows, count)
    column = _window((points[..., None, 0] - origin[:, 0]) / across, columns, count)
    exists = (row < rows[:, None])[..., :, None] & (column < columns[:, None])[..., None, :]
    cell = (row[..., :, None] * columns[:, None, None] + column[..., None, :]).where(exists, 0)
    index = (first[:, None, None] + cell * each)[..., None] + torch.arange(each, device=points.device)
    distance = (anchors.centers[index] - points[..., None, None, None, None, :]).square().sum(-1)
    distance = distance.masked_fill(~exists[..., None], torch.inf).flatten(-3)
    nearest = distance.topk(min(count, distance.shape[-1]), dim=-1, largest=False)
    return index.flatten(-3).gather(-1, nearest.indices).flatten(-2), nearest.values.isfinite().flatten(-2)


def _window(place: Tensor, length: Tensor, count: int) -> Tensor:
    """[..., L] places along an axis -> [..., L, 2 * count - 1] steps around; those from `length` on lie outside."""
    last = (length - 1).to(place.dtype)
    start = torch.minimum(place.round().clamp(min=0), last) - (count - 1)
    start = torch.minimum(start, last - (2 * count - 2)).clamp(min=0).long()
    return start[..., None] + torch.arange(2 * count - 1, device=place.device)
