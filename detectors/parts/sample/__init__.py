"""Role `sample`: which of the assigned boxes train the network. A fixed number an image, so that nothing waits."""

from dataclasses import dataclass

from torch import Tensor

from detectors.config import PartConfig
from detectors.parts.assign import Assignment
from detectors.targets import Targets


@dataclass(frozen=True)
class Samples:
    """S slots an image."""

    index: Tensor
    """[B, S] int64: which of the A assigned boxes"""
    matched: Tensor
    """[B, S] int64: slot of its object, or -1 for background"""
    iou: Tensor
    """[B, S] its IoU with the best object"""
    valid: Tensor
    """[B, S] bool: false where an image has fewer boxes to offer; such a slot must not count"""

    @property
    def positive(self) -> Tensor:
        return (self.matched >= 0) & self.valid

    def labels(self, targets: Targets) -> Tensor:
        """[B, S] int64: classes of the matched objects; that of slot 0 where there is none."""
        return targets.labels.gather(1, self.matched.clamp(min=0))

    def boxes(self, targets: Targets) -> Tensor:
        """[B, S, 4] boxes of the matched objects; that of slot 0 where there is none."""
        return targets.boxes.gather(1, self.matched.clamp(min=0)[..., None].expand(-1, -1, 4))

    def positives(self, count: int) -> tuple["Samples", Tensor]:
        """The first `count` positives of each image, and which [B, count] of the slots here they are."""
        chosen = self.positive.float().topk(min(count, self.positive.shape[1]), dim=1)
        slots, valid = chosen.indices, chosen.values > 0
        return Samples(
            self.index.gather(1, slots), self.matched.gather(1, slots), self.iou.gather(1, slots), valid
        ), slots

    def of(self, values: Tensor) -> Tensor:
        """The samples' share of values [B, A, ...]: [B, S, ...]."""
        index = self.index.view(*self.index.shape, *(1,) * (values.dim() - 2))
        return values.gather(1, index.expand(*self.index.shape, *values.shape[2:]))


class Sampler:
    def __call__(self, assignment: Assignment) -> Samples:
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class SampleConfig(PartConfig):
    def build(self) -> Sampler:
        return super().build()
