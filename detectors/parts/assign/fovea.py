"""FoveaBox: the locations in the middle part of an object answer for it, on every level whose scales it belongs to."""

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
    sigma: Unit = 0.4
    """share of the object's width and height that is its middle part"""
    scales: tuple[tuple[NonNegative, Positive], ...] = ((1, 64), (32, 128), (64, 256), (128, 512), (256, 2048))
    """least and greatest square root of an object's area, a level; ranges overlap"""
    crowd_coverage: Unit = 0.5
    """a negative of whose anchor this share lies in a crowd is ignored"""

    def build(self) -> Assigner:
        return Fovea(self)


class Fovea(Assigner):
    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, anchors: Anchors, targets: Targets, cost: Cost | None = None) -> Assignment:
        if len(anchors.counts) != len(self.config.scales):
            raise ValueError(
                f"assigner.scales has {len(self.config.scales)} ranges for {len(anchors.counts)} levels: give each one"
            )
        size = area(targets.boxes)[..., None]
        scale = size.sqrt()
        least, greatest = (anchors.per_level([float(limits[end]) for limits in self.config.scales]) for end in (0, 1))
        answers = (scale >= least) & (scale <= greatest) & self._middle(anchors, targets) & targets.objects[..., None]
        smallest, slot = size.expand_as(answers).masked_fill(~answers, torch.inf).min(dim=1)
        matched = torch.where(smallest < torch.inf, slot, BACKGROUND)
        matched = ignore_crowds(matched, anchors, targets, self.config.crowd_coverage)
        return Assignment(matched=matched, iou=torch.zeros_like(smallest))

    def _middle(self, anchors: Anchors, targets: Targets) -> Tensor:
        """[B, G, A] bool: the location lies in the middle part of the object."""
        points = anchors.centers
        middle = (targets.boxes[..., :2] + targets.boxes[..., 2:]) / 2
        half = (targets.boxes[..., 2:] - targets.boxes[..., :2]) / 2 * self.config.sigma
        return ((points - middle[..., None, :]).abs() <= half[..., None, :]).all(dim=-1)
