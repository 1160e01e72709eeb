"""SSD on VGG-16, and small enough for a CPU."""

from dataclasses import replace

from detectors.families.dense import Config
from detectors.parts.anchors import default_boxes
from detectors.parts.assign import max_iou
from detectors.parts.backbone import ssd_vgg16, tiny
from detectors.parts.coder import delta
from detectors.parts.dense_head import ssd
from detectors.parts.loss import cross_entropy, iou_balanced_cls, iou_balanced_loc, smooth_l1
from detectors.parts.neck import as_is
from detectors.parts.post import standard
from detectors.parts.suppress import hard


def ssd300_vgg16() -> Config:
    """SSD with VGG-16 for images of 300 pixels; loads torchvision's weights."""
    return Config(
        backbone=ssd_vgg16.Config(),
        neck=as_is.Config(),
        anchors=default_boxes.Config(
            sizes=(21, 45, 99, 153, 207, 261, 315),
            ratios=((2,), (2, 3), (2, 3), (2, 3), (2,), (2,)),
            steps=(8, 16, 32, 64, 100, 300),
            longest=300,
        ),
        assigner=max_iou.Config(low_quality="claimed"),
        coder=delta.Config(),
        head=ssd.Config(),
        cls_loss=cross_entropy.Config(),
        loc_loss=smooth_l1.Config(beta=1.0),
        hard_negatives=3,
        candidates_per_level=10000,
        padded_to=1,
        floor=0.01,
        mean=(0.48235, 0.45882, 0.40784),
        std=(1 / 255, 1 / 255, 1 / 255),
        post=standard.Config(
            score_threshold=0.01,
            per_class=400,
            min_size=0,
            suppress=hard.Config(iou_threshold=0.45),
            max_detections=200,
        ),
    )


def ssd512_vgg16() -> Config:
    """SSD with VGG-16 for images of 512 pixels."""
    return replace(
        ssd300_vgg16(),
        backbone=ssd_vgg16.Config(input_size=512),
        anchors=default_boxes.Config(
            sizes=(20.48, 51.2, 133.12, 215.04, 296.96, 378.88, 460.8, 542.72),
            ratios=((2,), (2, 3), (2, 3), (2, 3), (2, 3), (2,), (2,)),
            steps=(8, 16, 32, 64, 128, 256, 512),
            longest=512,
        ),
    )


def ssd300_vgg16_iou_balanced() -> Config:
    """ssd300_vgg16 trained with both IoU-balanced losses, the class loss balanced within each image."""
    return _balanced(ssd300_vgg16())


def ssd512_vgg16_iou_balanced() -> Config:
    """ssd512_vgg16 trained with both IoU-balanced losses, the class loss balanced within each image."""
    return _balanced(ssd512_vgg16())


def ssd_tiny() -> Config:
    """SSD small enough to learn synthetic scenes of 128 pixels in a CPU minute."""
    return replace(
        ssd300_vgg16(),
        backbone=tiny.Config(),
        anchors=default_boxes.Config(
            sizes=(12, 24, 48, 80, 128), ratios=((2,), (2,), (2,), (2,)), steps=(4, 8, 16, 32), longest=128
        ),
    )


def _balanced(base: Config) -> Config:
    return replace(
        base,
        cls_loss=iou_balanced_cls.Config(base=base.cls_loss, scope="image"),
        loc_loss=iou_balanced_loc.Config(base=base.loc_loss),
    )
