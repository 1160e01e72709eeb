"""PAA: a mixture of two normal distributions over the losses of an object's candidates tells the positives apart."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from detectors.config import Count
from detectors.ops.gaussian_mixture import fit_two_gaussians
from detectors.ops.separate import separate
from detectors.parts.anchors import Anchors
from detectors.parts.assign import Assigner, Assignment
from detectors.parts.assign.candidates import CandidateAssigner, CandidateConfig, object_index, ranked


@dataclass(frozen=True, kw_only=True)
class Config(CandidateConfig):
    topk: Count = 9
    """candidates of each level, those of least loss; the others are negative"""
    scheme: Literal["a", "b", "c", "d"] = "c"
    """where figure 3 of the paper draws the line: c is what released models use, b is the paper's default"""
    single_positive: bool = True
    """a candidate that is alone is positive (released code); False: negative (mmdet)"""

    def build(self) -> Assigner:
        return PAA(self)


class PAA(CandidateAssigner):
    config: Config

    def verdict(self, candidates: Assignment, loss: Tensor, anchors: Anchors, slots: int) -> Tensor:
        levels, topk = len(anchors.counts), self.config.topk
        key = object_index(candidates, slots) * levels + anchors.level
        best = ranked(loss, key, candidates.positive)
        objects = len(candidates.matched) * slots
        cells = objects * levels * topk
        kept = (best.place < topk) & (best.key < objects * levels)
        cell = torch.where(kept, best.key * topk + best.place, cells)
        table = torch.full((cells + 1,), torch.inf, dtype=loss.dtype, device=loss.device)
        table = table.scatter(0, cell, loss.flatten()[best.order])[:cells].view(objects, levels * topk)
        decided = self.decide(table, table < torch.inf).flatten()
        decided = torch.cat([decided, decided.new_zeros(1)])[cell]
        return torch.empty_like(decided).scatter_(0, best.order, decided).view_as(candidates.matched)

    def decide(self, losses: Tensor, valid: Tensor) -> Tensor:
        """[objects, candidates] losses -> 1 positive, -1 ignored, 0 negative and padding."""
        labels, log_density = fit_two_gaussians(losses, valid)
        verdict = separate(losses, labels, log_density, valid, self.config.scheme)
        if self.config.single_positive:
            return verdict
        return torch.where(valid.sum(dim=1, keepdim=True) == 1, 0, verdict)
