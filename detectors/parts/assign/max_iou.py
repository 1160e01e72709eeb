"""Each anchor goes to the object it overlaps most, if by enough: RetinaNet, Faster R-CNN, SSD, and PAA's pre-filter."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from detectors.config import Unit
from detectors.ops.boxes import pairwise_iou
from detectors.parts.anchors import Anchors
from detectors.parts.assign import BACKGROUND, IGNORED, AssignConfig, Assigner, Assignment, Cost, ignore_crowds
from detectors.targets import Targets


@dataclass(frozen=True, kw_only=True)
class Config(AssignConfig):
    positive: Unit = 0.5
    """an anchor with at least this IoU is positive"""
    negative: Unit = 0.5
    """an anchor with less than this IoU is negative; what lies between is ignored"""
    low_quality: Literal["none", "preferred", "claimed"] = "none"
    """what becomes of an object's best anchors below `positive`: nothing; they go to the object that they overlap most
    (torchvision); they go to the object that claims them (the last claim wins, so nearly no object is left out)"""
    min_quality: Unit = 0.0
    """the least IoU (above 0) at which an object's best anchors count"""
    crowd_coverage: Unit = 0.5
    """a negative of which this share lies in a crowd is ignored"""

    def __post_init__(self) -> None:
        if self.negative > self.positive:
            raise ValueError(
                f"negative = {self.negative} is above positive = {self.positive}: lower it to {self.positive} or less"
            )

    def build(self) -> "MaxIoU":
        return MaxIoU(self)


class MaxIoU(Assigner):
    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, anchors: Anchors, targets: Targets, cost: Cost | None = None) -> Assignment:
        iou = pairwise_iou(targets.boxes, anchors.boxes).masked_fill_(~targets.objects[..., None], -1)
        best, slot = iou.max(dim=1)
        below = torch.where(best < self.config.negative, BACKGROUND, IGNORED)
        matched = torch.where((best >= self.config.positive) & (best > 0), slot, below)
        if self.config.low_quality != "none" and len(anchors):
            matched = self._claim(matched, iou, slot)
        matched = ignore_crowds(matched, anchors, targets, self.config.crowd_coverage)
        return Assignment(matched=matched, iou=best.clamp_(min=0))

    def _claim(self, matched: Tensor, iou: Tensor, slot: Tensor) -> Tensor:
        """Gives every object the anchors that tie for its highest IoU."""
        highest = iou.amax(dim=2, keepdim=True)
        claims = (iou == highest) & (highest > 0) & (highest >= self.config.min_quality)
        if self.config.low_quality == "preferred":
            return torch.where(claims.any(dim=1), slot, matched)
        slots = torch.arange(iou.shape[1], device=iou.device)[:, None]
        last = torch.where(claims, slots, BACKGROUND).amax(dim=1)
        return torch.where(last >= 0, last, matched)
