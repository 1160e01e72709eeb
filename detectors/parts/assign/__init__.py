"""Assigners: which anchor, point or proposal answers for which object."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.config import PartConfig
from detectors.ops.boxes import pairwise_intersection_over_first
from detectors.parts.anchors import Anchors
from detectors.targets import Targets

BACKGROUND = -1
IGNORED = -2


@dataclass(frozen=True)
class Assignment:
    matched: Tensor
    """[B, A] int64: slot of the object, or BACKGROUND, or IGNORED"""
    iou: Tensor
    """[B, A] IoU of the anchor with the best object of its image, matched or not; 0 where the assigner saw none"""

    @property
    def positive(self) -> Tensor:
        return self.matched >= 0

    @property
    def ignored(self) -> Tensor:
        return self.matched == IGNORED

    def labels(self, targets: Targets) -> Tensor:
        """[B, A] int64: the class of the matched object, BACKGROUND or IGNORED elsewhere."""
        return torch.where(self.positive, targets.labels.gather(1, self.matched.clamp(min=0)), self.matched)

    def boxes(self, targets: Targets) -> Tensor:
        """[B, A, 4]: the box of the matched object, that of slot 0 elsewhere."""
        slot = self.matched.clamp(min=0)[..., None].expand(-1, -1, 4)
        return targets.boxes.gather(1, slot)


@dataclass(frozen=True)
class AnchorLoss:
    """What the network loses on each positive of an assignment, without gradients; anything elsewhere."""

    cls: Tensor
    """[B, A] summed over classes"""
    loc: Tensor
    """[B, A]"""


Cost = Callable[[Assignment], AnchorLoss]


@dataclass(frozen=True, kw_only=True)
class AssignConfig(PartConfig):
    """The role: builds an `Assigner`."""

    def build(self) -> "Assigner":
        return super().build()


class Assigner:
    """Batched over images, objects and anchors; assigners that look at the network's answers ask `cost` for them."""

    def __call__(self, anchors: Anchors, targets: Targets, cost: Cost | None = None) -> Assignment:
        raise NotImplementedError


def ignore_crowds(matched: Tensor, anchors: Anchors, targets: Targets, coverage: float) -> Tensor:
    """Unmatched anchors of which at least the share `coverage` lies in one crowd are ignored."""
    if not targets.may_have_crowd:
        return matched
    inside = pairwise_intersection_over_first(anchors.boxes, targets.boxes)
    covered = inside.masked_fill_(~targets.iscrowd[:, None], 0).amax(dim=2) >= coverage
    return torch.where((matched == BACKGROUND) & covered, IGNORED, matched)
