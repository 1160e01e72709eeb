"""Detectors made small: the same parts around a smaller backbone, for little data or a CPU."""

from dataclasses import replace
from typing import Any, Literal

from detectors.families import DetectorConfig, dense, two_stage
from detectors.parts.anchors import AnchorsConfig, default_boxes, grid
from detectors.parts.assign import AssignConfig, fcos, fovea
from detectors.parts.backbone import BackboneConfig, resnet, tiny
from detectors.parts.dense_head import DenseHeadConfig, towers
from detectors.parts.head import two_fc
from detectors.parts.neck import as_is, fpn
from detectors.parts.pool import PoolConfig, prroi, roi_align
from detectors.parts.quality import QualityConfig, iou_net
from detectors.parts.sample import SampleConfig, random
from detectors.parts.stage import StageConfig, box
from detectors.zoo.fcos import fcos_tiny, foveabox_tiny
from detectors.zoo.ssd import ssd_tiny
from detectors.zoo.two_stage import faster_rcnn_tiny

Size = Literal["as_is", "small", "tiny"]
"""as it is | on ResNet-18 | for scenes of 128 pixels, on a CPU"""

LEVELS = 3
SMALL_SIDE = 16.0
"""Anchors above it are halved for scenes of 128 pixels; those below stand for points."""
WIDTH = 128
JITTERED = 48


def shrink(config: DetectorConfig, size: Size) -> DetectorConfig:
    """The detector at another size; families from elsewhere, and those that are tiny already, stay as they are."""
    if not isinstance(config, (dense.Config, two_stage.Config)) or isinstance(config.backbone, tiny.Config):
        return config
    if size == "small":
        return replace(config, backbone=_small(config.backbone))
    if size == "as_is":
        return config
    return _tiny_two_stage(config) if isinstance(config, two_stage.Config) else _tiny_dense(config)


def _small(backbone: BackboneConfig) -> BackboneConfig:
    return replace(backbone, layout="resnet18") if isinstance(backbone, resnet.Config) else backbone


def _tiny_two_stage(config: two_stage.Config) -> two_stage.Config:
    like = faster_rcnn_tiny()
    return replace(
        config,
        backbone=like.backbone,
        neck=like.neck,
        proposals=like.proposals,
        stage=_tiny_stage(config.stage),
        quality=None if config.quality is None else _tiny_quality(config.quality),
    )


def _tiny_stage(stage: StageConfig) -> StageConfig:
    if not isinstance(stage, box.Config):
        return stage
    head = replace(stage.head, width=WIDTH) if isinstance(stage.head, two_fc.Config) else stage.head
    return replace(stage, sampler=_tiny_sampler(stage.sampler), pool=_tiny_pool(stage.pool), head=head)


def _tiny_sampler(sampler: SampleConfig) -> SampleConfig:
    return replace(sampler, count=min(sampler.count, 64)) if isinstance(sampler, random.Config) else sampler


def _tiny_pool(pool: PoolConfig) -> PoolConfig:
    return replace(pool, canonical_size=64.0) if isinstance(pool, (prroi.Config, roi_align.Config)) else pool


def _tiny_quality(quality: QualityConfig) -> QualityConfig:
    smaller: dict[str, Any] = {"width": WIDTH} if hasattr(quality, "width") else {}
    if isinstance(quality, iou_net.Config):
        smaller |= {"pool": _tiny_pool(quality.pool), "count": min(quality.count, JITTERED)}
    return replace(quality, **smaller)


def _tiny_dense(config: dense.Config) -> dense.Config:
    boxes_of_ssd = isinstance(config.anchors, default_boxes.Config)
    return replace(
        config,
        backbone=tiny.Config(),
        neck=as_is.Config() if boxes_of_ssd else fpn.Config(channels=64, finest=8, extra="none"),
        anchors=_tiny_anchors(config.anchors),
        assigner=_tiny_assigner(config.assigner),
        head=_tiny_head(config.head),
    )


def _tiny_anchors(anchors: AnchorsConfig) -> AnchorsConfig:
    if isinstance(anchors, default_boxes.Config):
        return ssd_tiny().anchors
    if not isinstance(anchors, grid.Config):
        return anchors
    halved = [tuple(side / 2 if side > SMALL_SIDE else side for side in sizes) for sizes in anchors.sizes[:LEVELS]]
    points = all(side <= SMALL_SIDE for side in anchors.sizes[0])
    return replace(anchors, sizes=anchors.sizes[:LEVELS] if points else tuple(halved))


def _tiny_assigner(assigner: AssignConfig) -> AssignConfig:
    for like in (fcos_tiny().assigner, foveabox_tiny().assigner):
        if isinstance(like, fcos.Config) and isinstance(assigner, fcos.Config):
            return replace(assigner, extents=like.extents)
        if isinstance(like, fovea.Config) and isinstance(assigner, fovea.Config):
            return replace(assigner, scales=like.scales)
    return assigner


def _tiny_head(head: DenseHeadConfig) -> DenseHeadConfig:
    return replace(head, convs=1, norm="group", groups=8) if isinstance(head, towers.Config) else head
