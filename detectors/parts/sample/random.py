"""A random draw with a bounded share of positives, filled up with negatives: R-CNN's sampler."""

from dataclasses import dataclass

from torch import Tensor

from detectors.config import Count, Unit
from detectors.distributed import uniform_per_image
from detectors.parts.assign import BACKGROUND, Assignment
from detectors.parts.sample import SampleConfig, Sampler, Samples


@dataclass(frozen=True, kw_only=True)
class Config(SampleConfig):
    count: Count = 512
    """Samples an image."""
    positive_share: Unit = 0.25
    """At most this share of them are positives."""

    def build(self) -> Sampler:
        return Random(self)


class Random(Sampler):
    """Every box draws a number; the largest among the positives win, then the largest among the negatives."""

    def __init__(self, config: Config) -> None:
        self.count = config.count
        self.positives = int(config.count * config.positive_share)

    def __call__(self, assignment: Assignment) -> Samples:
        matched = assignment.matched
        draw = uniform_per_image(len(matched), matched.shape[1], matched.device)
        key = self._chosen_positives(matched, draw) * 2.0 + draw
        key = key.masked_fill((matched >= 0) & (key < 2), -1).masked_fill_(matched < BACKGROUND, -1)
        best = key.topk(min(self.count, matched.shape[1]), dim=1)
        pick = best.indices
        return Samples(
            index=pick, matched=matched.gather(1, pick), iou=assignment.iou.gather(1, pick), valid=best.values >= 0
        )

    def _chosen_positives(self, matched: Tensor, draw: Tensor) -> Tensor:
        """[B, A] bool: at most `positives` an image."""
        priority = draw.masked_fill(matched < 0, -1)
        best = priority.topk(min(self.positives, matched.shape[1]), dim=1)
        return (matched >= 0).new_zeros(matched.shape).scatter_(1, best.indices, best.values >= 0)
