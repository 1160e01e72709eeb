"""Plain non-maximum suppression within each image and class."""

from dataclasses import dataclass

from torch import Tensor

from detectors.config import Unit
from detectors.ops.groups import grouped_nms
from detectors.parts.suppress import Suppress, SuppressConfig
from detectors.raw import Raw


@dataclass(frozen=True, kw_only=True)
class Config(SuppressConfig):
    iou_threshold: Unit = 0.5
    """A candidate goes when its IoU with a better one that stays is above this."""

    def build(self) -> Suppress:
        return self._suppress

    def _suppress(self, raw: Raw, scores: Tensor, groups: Tensor, most: int) -> tuple[Tensor, Tensor]:
        kept = grouped_nms(raw.boxes, scores, groups, self.iou_threshold)
        return kept, scores[kept]
