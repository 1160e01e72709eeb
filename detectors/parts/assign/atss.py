"""ATSS: the anchors nearest to an object's centre answer for it if their IoU stands out among their own."""

from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.config import Count, Unit
from detectors.ops.boxes import aligned_iou
from detectors.parts.anchors import Anchors
from detectors.parts.anchors.nearest import nearest_anchors
from detectors.parts.assign import BACKGROUND, AssignConfig, Assigner, Assignment, Cost, ignore_crowds
from detectors.targets import Targets


@dataclass(frozen=True, kw_only=True)
class Config(AssignConfig):
    per_level: Count = 9
    """candidates of each level, by distance between centres"""
    inside: float = 0.01
    """an anchor's centre must lie at least so many pixels inside the object"""
    crowd_coverage: Unit = 0.5
    """a negative of which this share lies in a crowd is ignored"""

    def build(self) -> Assigner:
        return ATSS(self)


class ATSS(Assigner):
    def __init__(self, config: Config) -> None:
        self.config = config

    def __call__(self, anchors: Anchors, targets: Targets, cost: Cost | None = None) -> Assignment:
        centers = (targets.boxes[..., :2] + targets.boxes[..., 2:]) / 2
        candidate, exists = nearest_anchors(anchors, centers, self.config.per_level)
        objects = targets.boxes[:, :, None]
        iou = aligned_iou(anchors.boxes[candidate], objects)
        points = anchors.centers[candidate]
        depth = torch.cat([points - objects[..., :2], objects[..., 2:] - points], dim=-1).amin(dim=-1)
        chosen = exists & targets.objects[..., None] & (depth > self.config.inside) & (iou >= _threshold(iou, exists))
        matched, best = _most_overlapping(candidate, iou.masked_fill(~chosen, -1), len(anchors))
        matched = ignore_crowds(matched, anchors, targets, self.config.crowd_coverage)
        return Assignment(matched=matched, iou=best)


def _threshold(iou: Tensor, exists: Tensor) -> Tensor:
    """[..., 1]: mean plus (unbiased) standard deviation of an object's candidates; of a single one, its IoU."""
    count = exists.sum(dim=-1, keepdim=True)
    iou = iou * exists
    mean = iou.sum(dim=-1, keepdim=True) / count.clamp(min=1)
    spread = ((iou - mean) * exists).square().sum(dim=-1, keepdim=True) / (count - 1).clamp(min=1)
    return mean + spread.sqrt()


def _most_overlapping(candidate: Tensor, iou: Tensor, anchors: int) -> tuple[Tensor, Tensor]:
    """An anchor that several objects [B, G, C] want goes to the one it overlaps most: slot and IoU [B, A]."""
    images, slots, _ = candidate.shape
    candidate, iou = candidate.flatten(1), iou.flatten(1)
    best = iou.new_full((images, anchors), -1).scatter_reduce(1, candidate, iou, "amax")
    slot = torch.arange(slots, device=iou.device)[:, None].expand(-1, candidate.shape[1] // slots).flatten()
    wins = (iou >= 0) & (iou == best.gather(1, candidate))
    first = torch.where(wins, slot, slots)
    matched = torch.full_like(best, slots, dtype=torch.int64).scatter_reduce(1, candidate, first, "amin")
    return torch.where(matched == slots, BACKGROUND, matched), best.clamp(min=0)
