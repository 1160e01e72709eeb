"""Weights of the IoU-balanced losses (Wu et al., Eq. 3-6): well located positives count for more."""

import torch
from torch import Tensor


def iou_balanced_cls_weights(
    loss: Tensor,
    iou: Tensor,
    eta: float,
    positive: Tensor | None = None,
    groups: Tensor | None = None,
    num_groups: int = 1,
) -> Tensor:
    """Weights IoU^eta R of element losses [N], with R such that the loss of the positives sums to what it was.

    Entries that are not `positive` weigh 1, exactly, as all do at eta = 0. R is taken over each of the `groups` (levels
    or images, 0 to `num_groups` - 1), or over all. Positives that all have IoU 0 lose their loss.
    """
    positive = torch.ones_like(loss, dtype=torch.bool) if positive is None else positive
    groups = torch.zeros_like(loss, dtype=torch.int64) if groups is None else groups
    kept = loss.detach().to(torch.promote_types(loss.dtype, torch.float32)).where(positive, 0)
    raw = iou.detach().to(kept).clamp(min=0) ** eta
    before = kept.new_zeros(num_groups).index_add(0, groups, kept)
    after = kept.new_zeros(num_groups).index_add(0, groups, kept * raw)
    scale = torch.where(after > 0, before / after.where(after > 0, 1), 1)
    return (raw * scale[groups]).where(positive, 1).to(loss.dtype)


def iou_balanced_loc_weights(iou: Tensor, lam: float, w_loc: float | Tensor = 1.0) -> Tensor:
    """Weights `w_loc` IoU^lam of the positives' localisation losses; lam = 0 leaves `w_loc` alone."""
    return w_loc * iou.detach().clamp(min=0) ** lam
