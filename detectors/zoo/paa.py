"""One square anchor a location: ATSS, PAA and what PAA's tables compare it with, on the backbones of the paper."""

from dataclasses import replace

from detectors.families.dense import Config
from detectors.parts.anchors import grid
from detectors.parts.assign import atss, max_iou, paa
from detectors.parts.backbone import resnet, tiny
from detectors.parts.coder import delta
from detectors.parts.dense_head import towers
from detectors.parts.dense_quality import centerness, iou
from detectors.parts.loss import focal, giou
from detectors.parts.neck import fpn
from detectors.parts.post import standard
from detectors.parts.rank import product
from detectors.parts.suppress import hard
from detectors.parts.vote import score


def paa_r50_fpn() -> Config:
    """PAA with ResNet-50 and FPN: IoU branch, score sqrt(cls x IoU), score voting."""
    return Config(
        backbone=resnet.Config(),
        neck=fpn.Config(finest=8, extra="p5"),
        anchors=grid.Config(sizes=((64,), (128,), (256,), (512,), (1024,)), ratios=(1.0,)),
        assigner=paa.Config(),
        coder=delta.Config(),
        head=towers.Config(norm="group", scaled=True),
        cls_loss=focal.Config(),
        loc_loss=giou.Config(weight=1.3),
        quality=iou.Config(weight=0.5),
        loc_weight="iou",
        candidates_per_level=3000,
        post=standard.Config(
            rank=product.Config(), per_level=1000, suppress=hard.Config(iou_threshold=0.6), vote=score.Config()
        ),
    )


def paa_r101_fpn() -> Config:
    """PAA with ResNet-101 and FPN."""
    return replace(paa_r50_fpn(), backbone=resnet.Config(layout="resnet101"))


def paa_x101_64x4d_fpn() -> Config:
    """PAA with ResNeXt-101-64x4d and FPN."""
    return replace(paa_r50_fpn(), backbone=resnet.Config(layout="resnext101_64x4d"))


def paa_x152_32x8d_fpn() -> Config:
    """PAA with ResNeXt-152-32x8d and FPN."""
    return replace(paa_r50_fpn(), backbone=resnet.Config(layout="resnext152_32x8d"))


def paa_r101_dcn_fpn() -> Config:
    """PAA with ResNet-101, deformable (v2) from C3 on and in the last layer of its towers."""
    return _deformable(paa_r101_fpn())


def paa_x101_64x4d_dcn_fpn() -> Config:
    """PAA with ResNeXt-101-64x4d, deformable (v2) from C4 on, as the authors' config has it, and in its towers' end."""
    return _deformable(paa_x101_64x4d_fpn(), stages=(4, 5))


def paa_x152_32x8d_dcn_fpn() -> Config:
    """PAA with ResNeXt-152-32x8d, deformable (v2) from C3 on and in the last layer of its towers."""
    return _deformable(paa_x152_32x8d_fpn())


def paa_r50_fpn_centerness() -> Config:
    """paa_r50_fpn with centerness in place of IoU, as branch, in the score, and as weight of box losses as in ATSS."""
    return _with_centerness(paa_r50_fpn())


def atss_r50_fpn() -> Config:
    """ATSS with ResNet-50 and FPN: centerness branch, score sqrt(cls x centerness)."""
    return _atss(paa_r50_fpn())


def atss_r50_fpn_iou() -> Config:
    """atss_r50_fpn with an IoU branch in place of the centerness branch, trained as in PAA."""
    return replace(paa_r50_fpn(), assigner=atss.Config())


def max_iou_r50_fpn() -> Config:
    """PAA's baseline: one anchor a location, assigned by IoU, ranked by class alone."""
    return _max_iou(paa_r50_fpn())


def max_iou_r50_fpn_iou() -> Config:
    """max_iou_r50_fpn with an IoU branch, ranked by sqrt(cls x IoU)."""
    return replace(paa_r50_fpn(), assigner=_max_iou(paa_r50_fpn()).assigner)


def paa_tiny() -> Config:
    """PAA small enough to learn synthetic scenes of 128 pixels in a CPU minute."""
    base = paa_r50_fpn()
    assert isinstance(base.post, standard.Config)
    return replace(
        base,
        backbone=tiny.Config(),
        neck=fpn.Config(channels=64, finest=8, extra="none"),
        anchors=grid.Config(sizes=((32,), (64,), (128,)), ratios=(1.0,)),
        head=towers.Config(convs=1, norm="group", groups=8, scaled=True),
        floor=0.01,
        post=replace(base.post, score_threshold=0.01),
    )


def atss_tiny() -> Config:
    """ATSS small enough to learn synthetic scenes of 128 pixels in a CPU minute."""
    return _atss(paa_tiny())


def max_iou_tiny() -> Config:
    """max_iou_r50_fpn small enough to learn synthetic scenes of 128 pixels in a CPU minute."""
    return _max_iou(paa_tiny())


def paa_tiny_centerness() -> Config:
    """paa_tiny with centerness in place of IoU, as branch, in the score, and as weight of box losses."""
    return _with_centerness(paa_tiny())


def _deformable(base: Config, stages: tuple[int, ...] = (3, 4, 5)) -> Config:
    assert isinstance(base.backbone, resnet.Config)
    assert isinstance(base.head, towers.Config)
    return replace(
        base,
        backbone=replace(base.backbone, deformable=stages, modulated=True),
        head=replace(base.head, deformable_last=True, modulated=True),
    )


def _with_centerness(base: Config) -> Config:
    assert isinstance(base.post, standard.Config)
    return replace(
        base,
        quality=centerness.Config(),
        loc_weight="centerness",
        post=replace(base.post, rank=product.Config(name="centerness")),
    )


def _atss(base: Config) -> Config:
    base = _with_centerness(base)
    assert isinstance(base.post, standard.Config)
    return replace(
        base,
        assigner=atss.Config(),
        loc_loss=giou.Config(weight=2.0),
        post=replace(base.post, vote=None),
    )


def _max_iou(base: Config) -> Config:
    assert isinstance(base.post, standard.Config)
    return replace(
        base,
        assigner=max_iou.Config(positive=0.5, negative=0.4, low_quality="claimed"),
        quality=None,
        loc_weight="none",
        post=standard.Config(
            score_threshold=base.post.score_threshold, per_level=base.post.per_level, suppress=base.post.suppress
        ),
    )
