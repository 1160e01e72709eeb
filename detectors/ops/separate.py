"""Where PAA draws the line between positive and negative candidates of an object: the four schemes of its figure 3."""

from typing import Literal

import torch
from torch import Tensor


def separate(
    losses: Tensor, labels: Tensor, log_density: Tensor, valid: Tensor, scheme: Literal["a", "b", "c", "d"] = "c"
) -> Tensor:
    """[G, N] each, the middle two from `fit_two_gaussians` -> 1 positive, 0 negative (and padding), -1 ignored.

    The mode of a component is that of its members where the mixture is densest; of equals, the one of lower loss.
      a  component 0 is positive, the rest negative
      b  positive up to the mode of component 0, negative from that of component 1 on, ignored between the two
      c  positive up to the mode of component 0, the rest negative
      d  positive up to the mode of component 0, its other members ignored, the rest negative
    An object without any member of component 0 has all of its candidates positive, as in the published code.
    """
    if scheme not in ("a", "b", "c", "d"):
        raise ValueError(f"scheme: {scheme!r} is unknown; use 'a', 'b', 'c' or 'd'")
    valid = valid & (labels >= 0)
    if valid.numel() == 0:
        return labels.clone()
    order = losses.where(valid, torch.inf).argsort(dim=1, stable=True)
    label, density = labels.where(valid, -1).gather(1, order), log_density.gather(1, order)
    foreground, background = label == 0, label == 1
    rank = torch.arange(label.shape[1], device=label.device)
    positive = rank <= _mode(foreground, density, otherwise=label.shape[1])
    ignored = torch.zeros_like(positive)
    if scheme == "a":
        positive = foreground | ~foreground.any(1, keepdim=True)
    elif scheme == "b":
        ignored = rank < _mode(background, density, otherwise=0)
    elif scheme == "d":
        ignored = foreground
    verdict = torch.where(positive, 1, -ignored.long())
    return torch.zeros_like(labels).scatter(1, order, verdict).where(valid, 0)


def _mode(member: Tensor, density: Tensor, otherwise: int) -> Tensor:
    """[G, 1]: rank of the densest member, `otherwise` where there is none."""
    rank = density.where(member, -torch.inf).argmax(1, keepdim=True)
    return rank.where(member.any(1, keepdim=True), otherwise)
