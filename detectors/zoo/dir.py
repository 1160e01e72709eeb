"""DIR: class-agnostic Faster R-CNN that predicts purity and integrity in hindsight, ranked by sqrt(cls x IoU)."""

from dataclasses import replace

from detectors.families.two_stage import Config
from detectors.parts.post import standard
from detectors.parts.quality import dir as decoupled
from detectors.parts.rank import product
from detectors.parts.stage import box
from detectors.zoo.two_stage import faster_rcnn_r50_fpn, faster_rcnn_r101_fpn, faster_rcnn_tiny


def dir_r50_fpn() -> Config:
    """DIR on class-agnostic Faster R-CNN R50-FPN."""
    return _decoupled(faster_rcnn_r50_fpn(), decoupled.Config())


def dir_r101_fpn() -> Config:
    """DIR on class-agnostic Faster R-CNN R101-FPN."""
    return _decoupled(faster_rcnn_r101_fpn(), decoupled.Config())


def dir_tiny() -> Config:
    """DIR on faster_rcnn_tiny."""
    return _decoupled(faster_rcnn_tiny(), decoupled.Config(width=128))


def _decoupled(base: Config, part: decoupled.Config) -> Config:
    stage = replace(base.stage, class_agnostic=True) if isinstance(base.stage, box.Config) else base.stage
    return replace(base, quality=part, stage=stage, post=standard.Config(rank=product.Config(name="iou")))
