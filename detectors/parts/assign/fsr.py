"""Fixed score range: candidates whose score, exp(-loss), exceeds a threshold (PAA, table 1)."""

from dataclasses import dataclass

from torch import Tensor

from detectors.config import Unit
from detectors.parts.anchors import Anchors
from detectors.parts.assign import Assigner, Assignment
from detectors.parts.assign.candidates import CandidateAssigner, CandidateConfig


@dataclass(frozen=True, kw_only=True)
class Config(CandidateConfig):
    score: Unit = 0.1

    def build(self) -> Assigner:
        return FixedRange(self)


class FixedRange(CandidateAssigner):
    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.score = config.score

    def verdict(self, candidates: Assignment, loss: Tensor, anchors: Anchors, slots: int) -> Tensor:
        return (candidates.positive & (loss.neg().exp() > self.score)).long()
