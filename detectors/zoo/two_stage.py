"""Faster R-CNN on the backbones of the papers, and with a quality part."""

from dataclasses import replace

from detectors.families.two_stage import Config
from detectors.parts.anchors import grid
from detectors.parts.backbone import resnet, tiny, vgg16
from detectors.parts.head import two_fc
from detectors.parts.neck import fpn
from detectors.parts.pool import roi_align
from detectors.parts.post import standard
from detectors.parts.proposals import rpn
from detectors.parts.quality import QualityConfig, iou
from detectors.parts.rank import product
from detectors.parts.sample import random
from detectors.parts.stage import box


def faster_rcnn_r50_fpn() -> Config:
    """Faster R-CNN with ResNet-50 and FPN, as torchvision builds it."""
    return Config()


def faster_rcnn_r18_fpn() -> Config:
    """Faster R-CNN with ResNet-18 and FPN."""
    return replace(faster_rcnn_r50_fpn(), backbone=resnet.Config(layout="resnet18"))


def faster_rcnn_r101_fpn() -> Config:
    """Faster R-CNN with ResNet-101 and FPN."""
    return replace(faster_rcnn_r50_fpn(), backbone=resnet.Config(layout="resnet101"))


def faster_rcnn_x101_32x4d_fpn() -> Config:
    """Faster R-CNN with ResNeXt-101-32x4d and FPN."""
    return replace(faster_rcnn_r50_fpn(), backbone=resnet.Config(layout="resnext101_32x4d"))


def faster_rcnn_x101_64x4d_fpn() -> Config:
    """Faster R-CNN with ResNeXt-101-64x4d and FPN."""
    return replace(faster_rcnn_r50_fpn(), backbone=resnet.Config(layout="resnext101_64x4d"))


def faster_rcnn_x152_32x8d_fpn() -> Config:
    """Faster R-CNN with ResNeXt-152-32x8d and FPN."""
    return replace(faster_rcnn_r50_fpn(), backbone=resnet.Config(layout="resnext152_32x8d"))


def faster_rcnn_vgg16_fpn() -> Config:
    """Faster R-CNN with VGG-16 and FPN."""
    return replace(faster_rcnn_r50_fpn(), backbone=vgg16.Config())


def faster_rcnn_r50_fpn_iou() -> Config:
    """faster_rcnn_r50_fpn that also predicts the IoU of each box and ranks by sqrt(cls x IoU)."""
    return _ranked_by_iou(faster_rcnn_r50_fpn(), iou.Config())


def faster_rcnn_tiny() -> Config:
    """Faster R-CNN small enough to learn synthetic scenes of 128 pixels in a CPU minute."""
    return Config(
        backbone=tiny.Config(),
        neck=fpn.Config(channels=48, extra="none"),
        proposals=rpn.Config(
            anchors=grid.Config(sizes=((16.0,), (32.0,), (64.0,), (96.0,))),
            sampler=random.Config(count=128, positive_share=0.5),
            per_level=(200, 100),
            count=(150, 100),
            init_std=0.07,
        ),
        stage=box.Config(
            sampler=random.Config(count=64),
            pool=roi_align.Config(canonical_size=64.0, samples=1, aligned=True),
            head=two_fc.Config(width=128),
            class_agnostic=True,
        ),
    )


def faster_rcnn_tiny_iou() -> Config:
    """faster_rcnn_tiny that also predicts the IoU of each box and ranks by sqrt(cls x IoU)."""
    return _ranked_by_iou(faster_rcnn_tiny(), iou.Config(width=128))


def _ranked_by_iou(base: Config, quality: QualityConfig) -> Config:
    return replace(base, quality=quality, post=standard.Config(rank=product.Config()))
