"""IoU-Aware R-CNN: Faster R-CNN with an IoU branch trained by H+L-Sampling, ranked by cls x IoU."""

from dataclasses import replace

from detectors.families.two_stage import Config
from detectors.parts.post import standard
from detectors.parts.quality import iou_aware
from detectors.parts.rank import product
from detectors.zoo.two_stage import (
    faster_rcnn_r50_fpn,
    faster_rcnn_r101_fpn,
    faster_rcnn_tiny,
    faster_rcnn_x101_32x4d_fpn,
)


def iou_aware_r50_fpn() -> Config:
    """IoU-Aware R-CNN on Faster R-CNN R50-FPN."""
    return _aware(faster_rcnn_r50_fpn(), iou_aware.Config())


def iou_aware_r101_fpn() -> Config:
    """IoU-Aware R-CNN on Faster R-CNN R101-FPN."""
    return _aware(faster_rcnn_r101_fpn(), iou_aware.Config())


def iou_aware_x101_32x4d_fpn() -> Config:
    """IoU-Aware R-CNN on Faster R-CNN X101-32x4d-FPN."""
    return _aware(faster_rcnn_x101_32x4d_fpn(), iou_aware.Config())


def iou_aware_tiny() -> Config:
    """IoU-Aware R-CNN on faster_rcnn_tiny."""
    return _aware(faster_rcnn_tiny(), iou_aware.Config(width=128))


def _aware(base: Config, part: iou_aware.Config) -> Config:
    rank = product.Config(name="iou", cls_power=1.0, quality_power=1.0)
    return replace(base, quality=part, post=standard.Config(rank=rank))
