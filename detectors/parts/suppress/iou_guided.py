"""IoU-guided NMS: `rank` (by the predicted IoU) decides who stays, the best class score of a cluster is its score."""

from dataclasses import dataclass

from torch import Tensor

from detectors.config import Unit
from detectors.ops import iou_guided_nms
from detectors.parts.rank import quality_of
from detectors.parts.suppress import Suppress, SuppressConfig
from detectors.raw import Raw


@dataclass(frozen=True, kw_only=True)
class Config(SuppressConfig):
    iou_threshold: Unit = 0.5
    times: str | None = None
    """A quality of the box that stays, such as `iou`, with which the cluster's class score is multiplied in the end."""

    def build(self) -> Suppress:
        return self._suppress

    def _suppress(self, raw: Raw, scores: Tensor, groups: Tensor, most: int) -> tuple[Tensor, Tensor]:
        kept, clustered = iou_guided_nms(raw.boxes, raw.scores, scores, self.iou_threshold, groups)
        if self.times is None:
            return kept, clustered
        return kept, clustered * quality_of(raw, self.times, "suppress.times")[kept].clamp(0, 1)
