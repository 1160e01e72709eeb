"""Iterative regression, what IoU-Net's figure 4 compares itself with: the detector regresses its own boxes again."""

from dataclasses import dataclass

from torch import Tensor

from detectors.config import Count
from detectors.parts.refine import OfBoxes, Refine, RefineConfig
from detectors.raw import Raw


@dataclass(frozen=True, kw_only=True)
class Config(RefineConfig):
    steps: Count = 1

    def build(self) -> Refine:
        return Regression(self)


class Regression(Refine):
    config: Config

    def move(self, raw: Raw, rate: OfBoxes, regress: OfBoxes) -> tuple[Tensor, Tensor]:
        boxes = raw.boxes
        for _ in range(self.config.steps):
            boxes = regress(boxes, raw.image, raw.labels)
        return boxes, rate(boxes, raw.image, raw.labels)
