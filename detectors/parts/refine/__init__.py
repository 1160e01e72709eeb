"""Role `refine`: how detected boxes move once more, to where their IoU is higher. Needs the network, so it is no post.

First NMS chooses the best boxes of each image, then they move, then `post` ranks them: no second NMS.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from detectors.config import Count, PartConfig, Unit
from detectors.ops import iou_guided_nms
from detectors.ops.groups import best_within
from detectors.parts.post.standard import class_groups
from detectors.raw import Raw

OfBoxes = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(boxes [N, 4], image [N], labels [N]) -> their IoU [N], or boxes regressed from them [N, 4]."""


@dataclass(frozen=True, kw_only=True)
class RefineConfig(PartConfig):
    count: Count = 100
    """Boxes an image that are refined; the others are dropped."""
    min_cls: Unit = 0.05
    """Candidates with a class score of this or less are dropped before."""
    nms_threshold: Unit = 0.5
    chosen_by: Literal["iou", "cls"] = "iou"
    """What boxes compete by before they move: their predicted IoU, or as in IoU-Net's table 2 their class score."""

    def build(self) -> "Refine":
        return super().build()


class Refine:
    def __init__(self, config: RefineConfig) -> None:
        self.config = config

    def __call__(self, raw: Raw, rate: OfBoxes, regress: OfBoxes) -> Raw:
        """Raw predictions that know their `iou` -> the best of them, moved, with the class scores of their clusters."""
        raw = self._best(raw)
        boxes, iou = self.move(raw, rate, regress)
        return replace(raw, boxes=boxes).with_quality(iou=iou.clamp(0, 1))

    def move(self, raw: Raw, rate: OfBoxes, regress: OfBoxes) -> tuple[Tensor, Tensor]:
        """New boxes [M, 4] and their IoU [M]."""
        raise NotImplementedError

    def _best(self, raw: Raw) -> Raw:
        raw = raw.select((raw.scores > self.config.min_cls).nonzero().squeeze(1))
        rank = raw.quality["iou"] if self.config.chosen_by == "iou" else raw.scores
        kept, clustered = iou_guided_nms(raw.boxes, raw.scores, rank, self.config.nms_threshold, class_groups(raw))
        best = best_within(raw.image[kept], clustered, self.config.count)
        return replace(raw.select(kept[best]), scores=clustered[best])
