"""RetinaNet on the backbones of the papers, and small enough for a CPU."""

from dataclasses import replace

from detectors.families.dense import Config
from detectors.parts.anchors import grid
from detectors.parts.assign import max_iou
from detectors.parts.backbone import resnet, tiny
from detectors.parts.coder import delta
from detectors.parts.dense_head import towers
from detectors.parts.loss import focal, iou_balanced_cls, iou_balanced_loc, l1, smooth_l1
from detectors.parts.neck import fpn
from detectors.parts.post import standard


def retinanet_r50_fpn() -> Config:
    """RetinaNet with ResNet-50 and FPN, nine anchors a location; loads torchvision's weights."""
    sizes = tuple((x, int(x * 2 ** (1 / 3)), int(x * 2 ** (2 / 3))) for x in (32, 64, 128, 256, 512))
    return Config(
        backbone=resnet.Config(),
        neck=fpn.Config(finest=8, extra="p5"),
        anchors=grid.Config(sizes=sizes),
        assigner=max_iou.Config(positive=0.5, negative=0.4, low_quality="preferred"),
        coder=delta.Config(stds=(1.0, 1.0, 1.0, 1.0)),
        head=towers.Config(),
        cls_loss=focal.Config(),
        loc_loss=l1.Config(),
        post=standard.Config(per_level=1000, min_size=0),
    )


def retinanet_r18_fpn() -> Config:
    """RetinaNet with ResNet-18 and FPN."""
    return replace(retinanet_r50_fpn(), backbone=resnet.Config(layout="resnet18"))


def retinanet_r101_fpn() -> Config:
    """RetinaNet with ResNet-101 and FPN."""
    return replace(retinanet_r50_fpn(), backbone=resnet.Config(layout="resnet101"))


def retinanet_x101_32x4d_fpn() -> Config:
    """RetinaNet with ResNeXt-101-32x4d and FPN."""
    return replace(retinanet_r50_fpn(), backbone=resnet.Config(layout="resnext101_32x4d"))


def retinanet_x101_64x4d_fpn() -> Config:
    """RetinaNet with ResNeXt-101-64x4d and FPN."""
    return replace(retinanet_r50_fpn(), backbone=resnet.Config(layout="resnext101_64x4d"))


def retinanet_tiny() -> Config:
    """RetinaNet small enough to learn synthetic scenes of 128 pixels in a CPU minute."""
    return Config(
        backbone=tiny.Config(),
        neck=fpn.Config(channels=64, finest=8, extra="none"),
        anchors=grid.Config(sizes=((32, 40, 50), (64, 80, 101), (96, 112, 128))),
        assigner=max_iou.Config(positive=0.5, negative=0.4, low_quality="preferred"),
        coder=delta.Config(),
        head=towers.Config(convs=1, norm="group", groups=8),
        cls_loss=focal.Config(),
        loc_loss=l1.Config(),
        floor=0.01,
        post=standard.Config(score_threshold=0.01, per_level=1000),
    )


def retinanet_r50_fpn_iou_balanced() -> Config:
    """retinanet_r50_fpn trained with both IoU-balanced losses, on smooth-L1 as in that paper."""
    return _balanced(retinanet_r50_fpn())


def retinanet_r18_fpn_iou_balanced() -> Config:
    """retinanet_r18_fpn trained with both IoU-balanced losses."""
    return _balanced(retinanet_r18_fpn())


def retinanet_r101_fpn_iou_balanced() -> Config:
    """retinanet_r101_fpn trained with both IoU-balanced losses."""
    return _balanced(retinanet_r101_fpn())


def retinanet_x101_32x4d_fpn_iou_balanced() -> Config:
    """retinanet_x101_32x4d_fpn trained with both IoU-balanced losses."""
    return _balanced(retinanet_x101_32x4d_fpn())


def retinanet_tiny_iou_balanced() -> Config:
    """retinanet_tiny trained with both IoU-balanced losses."""
    return replace(
        retinanet_tiny(), cls_loss=iou_balanced_cls.Config(), loc_loss=iou_balanced_loc.Config(base=l1.Config())
    )


def _balanced(base: Config) -> Config:
    return replace(
        base,
        cls_loss=iou_balanced_cls.Config(base=base.cls_loss),
        loc_loss=iou_balanced_loc.Config(base=smooth_l1.Config(beta=0.11)),
    )
