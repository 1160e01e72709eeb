"""Detectors of points instead of anchors: FCOS and FoveaBox."""

from dataclasses import replace

from detectors.families.dense import Config
from detectors.parts.anchors import grid
from detectors.parts.assign import fcos, fovea
from detectors.parts.backbone import resnet, tiny
from detectors.parts.coder import distances
from detectors.parts.dense_head import towers
from detectors.parts.dense_quality import centerness
from detectors.parts.loss import focal, giou, iou_balanced_cls, iou_balanced_loc, smooth_l1
from detectors.parts.neck import fpn
from detectors.parts.post import standard
from detectors.parts.rank import product
from detectors.parts.suppress import hard


def fcos_r50_fpn() -> Config:
    """FCOS with ResNet-50 and FPN; loads torchvision's weights."""
    return Config(
        backbone=resnet.Config(),
        neck=fpn.Config(finest=8, extra="p5"),
        anchors=grid.Config(sizes=((8,), (16,), (32,), (64,), (128,)), ratios=(1.0,)),
        assigner=fcos.Config(),
        coder=distances.Config(),
        head=towers.Config(norm="group", positive_codes=True),
        cls_loss=focal.Config(),
        loc_loss=giou.Config(),
        quality=centerness.Config(),
        floor=0.04,
        candidates_per_level=3000,
        post=standard.Config(
            rank=product.Config(name="centerness"),
            score_threshold=0.2,
            threshold_on="rank",
            per_level=1000,
            min_size=0,
            suppress=hard.Config(iou_threshold=0.6),
        ),
    )


def fcos_tiny() -> Config:
    """FCOS small enough to learn synthetic scenes of 128 pixels in a CPU minute."""
    base = fcos_r50_fpn()
    assert isinstance(base.post, standard.Config)
    return replace(
        base,
        backbone=tiny.Config(),
        neck=fpn.Config(channels=64, finest=8, extra="none"),
        anchors=grid.Config(sizes=((8,), (16,), (32,)), ratios=(1.0,)),
        assigner=fcos.Config(extents=(24, 48)),
        coder=distances.Config(form="log"),
        head=towers.Config(convs=1, norm="group", groups=8),
        floor=0.01,
        post=replace(base.post, score_threshold=0.05),
    )


def foveabox_r50_fpn() -> Config:
    """FoveaBox with ResNet-50 and FPN."""
    return Config(
        backbone=resnet.Config(),
        neck=fpn.Config(finest=8, extra="p5"),
        anchors=grid.Config(sizes=((16,), (32,), (64,), (128,), (256,)), ratios=(1.0,), offset=0.5),
        assigner=fovea.Config(),
        coder=distances.Config(form="log"),
        head=towers.Config(),
        cls_loss=focal.Config(alpha=0.4, gamma=1.5),
        loc_loss=smooth_l1.Config(beta=0.11),
        cls_normaliser="positives_and_images",
        post=standard.Config(per_level=1000),
    )


def foveabox_r50_fpn_iou_balanced() -> Config:
    """foveabox_r50_fpn trained with both IoU-balanced losses."""
    base = foveabox_r50_fpn()
    return replace(
        base,
        cls_loss=iou_balanced_cls.Config(base=base.cls_loss),
        loc_loss=iou_balanced_loc.Config(base=base.loc_loss),
    )


def foveabox_tiny() -> Config:
    """FoveaBox small enough to learn synthetic scenes of 128 pixels in a CPU minute."""
    return replace(
        foveabox_r50_fpn(),
        backbone=tiny.Config(),
        neck=fpn.Config(channels=64, finest=8, extra="none"),
        anchors=grid.Config(sizes=((16,), (32,), (64,)), ratios=(1.0,), offset=0.5),
        assigner=fovea.Config(scales=((1, 32), (16, 64), (32, 256))),
        head=towers.Config(convs=1, norm="group", groups=8),
        floor=0.01,
        post=standard.Config(score_threshold=0.01, per_level=1000),
    )
