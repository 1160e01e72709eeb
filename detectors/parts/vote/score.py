"""Score voting (PAA): a box becomes the mean of its neighbours, weighted by their scores and by how close they are."""

from dataclasses import dataclass

from torch import Tensor

from detectors.config import Positive, Unit
from detectors.ops import score_vote
from detectors.parts.vote import Vote, VoteConfig


@dataclass(frozen=True, kw_only=True)
class Config(VoteConfig):
    sigma: Positive = 0.025
    """The paper prints a tenth of this; every published number was made with this one."""
    min_iou: Unit = 0.01

    def build(self) -> Vote:
        return self._vote

    def _vote(self, boxes: Tensor, scores: Tensor, groups: Tensor, kept: Tensor) -> Tensor:
        return score_vote(kept, boxes, scores, self.sigma, self.min_iou, groups)
