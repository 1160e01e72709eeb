"""IoU-Net: Faster R-CNN that learns the IoU of jittered objects, suppresses by it, and moves boxes to raise it."""

from dataclasses import replace

from detectors.families.two_stage import Config
from detectors.parts.post import standard
from detectors.parts.quality import iou_net
from detectors.parts.rank import quality
from detectors.parts.refine import gradient
from detectors.parts.suppress import iou_guided, none
from detectors.zoo.two_stage import faster_rcnn_r50_fpn, faster_rcnn_r101_fpn, faster_rcnn_tiny


def iou_net_r50_fpn() -> Config:
    """IoU-Net on Faster R-CNN R50-FPN with IoU-guided NMS, without refinement."""
    return _guided(faster_rcnn_r50_fpn(), iou_net.Config())


def iou_net_r101_fpn() -> Config:
    """IoU-Net on Faster R-CNN R101-FPN with IoU-guided NMS, without refinement."""
    return _guided(faster_rcnn_r101_fpn(), iou_net.Config())


def iou_net_r50_fpn_refined() -> Config:
    """iou_net_r50_fpn whose hundred best boxes climb their predicted IoU."""
    return _refined(iou_net_r50_fpn(), iou_net.Config(refine=gradient.Config()))


def iou_net_r101_fpn_refined() -> Config:
    """iou_net_r101_fpn whose hundred best boxes climb their predicted IoU."""
    return _refined(iou_net_r101_fpn(), iou_net.Config(refine=gradient.Config()))


def iou_net_tiny() -> Config:
    """IoU-Net on faster_rcnn_tiny with IoU-guided NMS, without refinement."""
    return _guided(faster_rcnn_tiny(), _tiny())


def iou_net_tiny_refined() -> Config:
    """iou_net_tiny whose best boxes climb their predicted IoU."""
    return _refined(iou_net_tiny(), replace(_tiny(), refine=gradient.Config()))


def _tiny() -> iou_net.Config:
    """With the weight of 5 that long schedules take, a thousand steps of joint training leave the detector behind."""
    pool = replace(iou_net.Config().pool, canonical_size=64.0)
    return iou_net.Config(width=128, count=96, pool=pool, weight=1.0)


def _guided(base: Config, part: iou_net.Config) -> Config:
    post = standard.Config(rank=quality.Config(name="iou"), suppress=iou_guided.Config())
    return replace(base, quality=part, post=post)


def _refined(base: Config, part: iou_net.Config) -> Config:
    """Refinement comes after suppression and leaves the classes' scores as they are."""
    return replace(base, quality=part, post=standard.Config(suppress=none.Config()))
