"""The IoU of the predicted box with its object (PAA, IoU-aware RetinaNet)."""

from dataclasses import dataclass

from torch import Tensor

from detectors.ops.boxes import aligned_iou
from detectors.parts.dense_quality import DenseQuality, DenseQualityConfig


@dataclass(frozen=True, kw_only=True)
class Config(DenseQualityConfig):
    def build(self) -> DenseQuality:
        return IoU()


class IoU(DenseQuality):
    name = "iou"

    def target(self, centers: Tensor, boxes: Tensor, objects: Tensor) -> Tensor:
        return aligned_iou(boxes.detach(), objects)
