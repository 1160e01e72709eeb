"""A loss and a variant that locbench finds once this package is installed."""

from dataclasses import replace

from detectors import zoo
from detectors.families import DetectorConfig


def faster_rcnn_tiny_log_cosh() -> DetectorConfig:
    """faster_rcnn_tiny whose boxes are trained with the log-cosh loss."""
    from log_cosh_loss import log_cosh

    base = zoo.config("faster_rcnn_tiny")
    return replace(base, stage=replace(base.stage, loc_loss=log_cosh.Config()))
