"""What PAA and its simpler rivals share: each object's candidates, and what the network would lose on them."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from detectors.config import NonNegative, Unit
from detectors.ops.boxes import pairwise_iou
from detectors.parts.anchors import Anchors
from detectors.parts.assign import BACKGROUND, IGNORED, AssignConfig, Assigner, Assignment, Cost, ignore_crowds, max_iou
from detectors.targets import Targets


@dataclass(frozen=True, kw_only=True)
class CandidateConfig(AssignConfig):
    candidate_iou: Unit = 0.1
    """least IoU of an anchor with the object that it overlaps most"""
    low_quality: Literal["none", "preferred", "claimed"] = "claimed"
    """what becomes of an object's best anchors below that: as in `max_iou`"""
    rescue: bool = True
    """an object that has no candidate takes its best anchor"""
    loc_factor: NonNegative = 1.0
    """lambda_1: weight of the box loss in an anchor's score; the published codes have 1.0 and 1.3"""
    crowd_coverage: Unit = 0.5
    """a negative of which this share lies in a crowd is ignored"""


@dataclass(frozen=True)
class Ranked:
    """Candidates of all images in a row of B * A, grouped by a key and sorted by loss within a group."""

    order: Tensor
    """[B * A] int64: anchors in this order; those that are no candidates come last"""
    key: Tensor
    """[B * A] int64, of the ordered"""
    place: Tensor
    """[B * A] int64: how many of the group come before"""


class CandidateAssigner(Assigner):
    """Candidates by IoU; a kind says in `verdict` which of them are positive."""

    def __init__(self, config: CandidateConfig) -> None:
        self.config = config
        self.prefilter = max_iou.Config(
            positive=config.candidate_iou, negative=config.candidate_iou, low_quality=config.low_quality
        ).build()

    def __call__(self, anchors: Anchors, targets: Targets, cost: Cost | None = None) -> Assignment:
        if cost is None:
            raise ValueError(
                f"assigner.kind = {self.config.kind!r} asks the network for losses: use it in a dense detector"
            )
        candidates = self.candidates(anchors, targets)
        losses = cost(candidates)
        loss = losses.cls + self.config.loc_factor * losses.loc
        verdict = self.verdict(candidates, loss, anchors, slots=targets.boxes.shape[1])
        matched = torch.where(verdict > 0, candidates.matched, torch.where(verdict < 0, IGNORED, BACKGROUND))
        matched = ignore_crowds(matched, anchors, targets, self.config.crowd_coverage)
        return Assignment(matched=matched, iou=candidates.iou)

    def candidates(self, anchors: Anchors, targets: Targets) -> Assignment:
        """Every anchor that may answer for an object, matched to the one object that it may answer for."""
        found = self.prefilter(anchors, targets)
        matched = torch.where(found.ignored, BACKGROUND, found.matched)
        if self.config.rescue and len(anchors):
            matched = rescue(matched, anchors, targets)
        return Assignment(matched=matched, iou=found.iou)

    def verdict(self, candidates: Assignment, loss: Tensor, anchors: Anchors, slots: int) -> Tensor:
        """[B, A] from the loss of each candidate: 1 positive, -1 ignored, 0 negative and all that are no candidates."""
        raise NotImplementedError


def rescue(matched: Tensor, anchors: Anchors, targets: Targets) -> Tensor:
    """Objects without candidates take their best anchor, unless it is the only one that another object has."""
    slots = targets.boxes.shape[1]
    owner = torch.where(matched >= 0, matched, slots)
    held = owner.new_zeros(len(owner), slots + 1).scatter_add_(1, owner, torch.ones_like(owner))
    overlap, best = pairwise_iou(targets.boxes, anchors.boxes).max(dim=2)
    rival = owner.gather(1, best)
    spare = (rival == slots) | (held.gather(1, rival) > 1)
    poor = targets.objects & (held[:, :slots] == 0) & (overlap > 0) & spare
    taken = torch.where(poor, torch.arange(slots, device=best.device), BACKGROUND)
    taker = torch.full_like(matched, BACKGROUND).scatter_reduce(1, best, taken, "amax")
    return torch.where(taker >= 0, taker, matched)


def ranked(loss: Tensor, key: Tensor, candidate: Tensor) -> Ranked:
    """Sorts candidates [B, A] by a key [B, A] and then by loss; equal losses stay in the order of the anchors."""
    key = torch.where(candidate, key, torch.iinfo(torch.int64).max).flatten()
    order = loss.flatten().argsort(stable=True)
    order = order[key[order].argsort(stable=True)]
    key = key[order]
    place = torch.arange(len(key), device=key.device) - torch.searchsorted(key, key)
    return Ranked(order=order, key=key, place=place)


def object_index(candidates: Assignment, slots: int) -> Tensor:
    """[B, A] int64: one number an object of the batch, image * slots + slot."""
    image = torch.arange(len(candidates.matched), device=candidates.matched.device)[:, None]
    return image * slots + candidates.matched.clamp(min=0)
