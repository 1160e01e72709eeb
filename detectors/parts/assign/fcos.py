"""FCOS: a location answers for the smallest object around it whose extent suits its level."""

from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.config import NonNegative, Positive, Unit
from detectors.ops.boxes import area
from detectors.parts.anchors import Anchors
from detectors.parts.assign import BACKGROUND, AssignConfig, Assigner, Assignment, Cost, ignore_crowds
from detectors.targets import Targets


@dataclass(frozen=True, kw_only=True)
class Config(AssignConfig):
    radius: Positive | None = 1.5
    """a location must lie within so many of its anchor's sides from the object's centre; None: anywhere inside"""
    extents: tuple[NonNegative, ...] = (64, 128, 256, 512)
    """pixels between a level's objects and the next's, by the greatest distance from the location to a side"""
    crowd_coverage: Unit = 0.5
    """a negative of whose anchor this share lies in a crowd is ignored"""

    def __post_init__(self) -> None:
        if list(self.extents) != sorted(self.extents):
            raise ValueError(f"extents = {self.extents}: sort them, from the finest level's limit on")

    def build(self) -> Assigner:
        return FCOS(self)


class FCOS(Assigner):
    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, anchors: Anchors, targets: Targets, cost: Cost | None = None) -> Assignment:
        if len(anchors.counts) != len(self.config.extents) + 1:
            raise ValueError(
                f"assigner.extents has {len(self.config.extents)} limits: {len(anchors.counts)} levels need one less"
            )
        answers = self._suits(anchors, targets) & targets.objects[..., None]
        size = area(targets.boxes)[..., None].expand_as(answers).masked_fill(~answers, torch.inf)
        smallest, slot = size.min(dim=1)
        matched = torch.where(smallest < torch.inf, slot, BACKGROUND)
        matched = ignore_crowds(matched, anchors, targets, self.config.crowd_coverage)
        return Assignment(matched=matched, iou=torch.zeros_like(smallest))

    def _suits(self, anchors: Anchors, targets: Targets) -> Tensor:
        """[B, G, A] bool: the location lies where it should within the object, and on a level for its extent."""
        x, y = anchors.centers.unbind(-1)
        left, top, right, bottom = targets.boxes[..., None, :].unbind(-1)
        depth = torch.stack([x - left, y - top, right - x, bottom - y])
        greatest = depth.amax(dim=0)
        limits = (0.0, *self.config.extents, torch.inf)
        lower, upper = anchors.per_level(limits[:-1]), anchors.per_level(limits[1:])
        suits = (depth.amin(dim=0) > 0) & (greatest > lower) & (greatest < upper)
        if self.config.radius is None:
            return suits
        reach = self.config.radius * (anchors.boxes[..., 2] - anchors.boxes[..., 0])
        off_center = torch.maximum((x - (left + right) / 2).abs(), (y - (top + bottom) / 2).abs())
        return suits & (off_center < reach)
