"""Fixed number of positives: each object's candidates of least loss (PAA, table 1)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.config import Count
from detectors.parts.anchors import Anchors
from detectors.parts.assign import Assigner, Assignment
from detectors.parts.assign.candidates import CandidateAssigner, CandidateConfig, object_index, ranked


@dataclass(frozen=True, kw_only=True)
class Config(CandidateConfig):
    count: Count = 10

    def build(self) -> Assigner:
        return FixedNumber(self)


class FixedNumber(CandidateAssigner):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.count = config.count

    def verdict(self, candidates: Assignment, loss: Tensor, anchors: Anchors, slots: int) -> Tensor:
        best = ranked(loss, object_index(candidates, slots), candidates.positive)
        place = torch.empty_like(best.place).scatter_(0, best.order, best.place).view_as(candidates.matched)
        return (candidates.positive & (place < self.count)).long()
