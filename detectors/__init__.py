"""What a detector is: pure torch. `detectors.build("faster_rcnn_r50_fpn", num_classes=80)` is the way in."""

from detectors.build import build

__all__ = ["build"]
