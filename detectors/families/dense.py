"""One-stage detectors: every anchor is classified and regressed at once (RetinaNet, FCOS, ATSS, PAA, SSD)."""

from dataclasses import dataclass

from torch import Tensor

from detectors.config import Count, NonNegative
from detectors.detector import Detector, Images
from detectors.families import DetectorConfig
from detectors.families.dense_candidates import best_candidates
from detectors.families.dense_losses import ClsNormaliser, DenseLosses, LocWeight
from detectors.images import ImageBatch, as_batch
from detectors.ops.boxes import clip
from detectors.parts.anchors import Anchors, AnchorsConfig
from detectors.parts.assign import AssignConfig
from detectors.parts.backbone import BackboneConfig
from detectors.parts.coder import CoderConfig
from detectors.parts.dense_head import DenseHeadConfig, DenseOutput, DenseShape
from detectors.parts.dense_quality import DenseQualityConfig
from detectors.parts.loss import ClsLossConfig, LocLossConfig
from detectors.parts.neck import NeckConfig
from detectors.raw import Raw
from detectors.targets import Targets


@dataclass(frozen=True, kw_only=True)
class Config(DetectorConfig):
    backbone: BackboneConfig
    neck: NeckConfig
    anchors: AnchorsConfig
    assigner: AssignConfig
    coder: CoderConfig
    head: DenseHeadConfig
    cls_loss: ClsLossConfig
    loc_loss: LocLossConfig
    quality: DenseQualityConfig | None = None
    """a branch that learns how well a box fits"""
    loc_weight: LocWeight = "none"
    """what each positive's box loss is weighted by; it is then divided by the sum of weights, else by their number"""
    cls_normaliser: ClsNormaliser = "positives"
    """what the classification loss is divided by"""
    hard_negatives: NonNegative | None = None
    """this many negatives a positive, those of highest loss, are trained on; None: all (SSD has 3)"""
    padded_to: Count = 32
    """images of a list are padded to sides that this divides; 1 leaves equal images as they are"""
    candidates_per_level: Count = 1000
    """(box, class) pairs of an image's level that become raw predictions, by class score"""

    def build(self, num_classes: int) -> "Dense":
        return Dense(self, num_classes)


class Dense(Detector):
    config: Config

    def __init__(self, config: Config, num_classes: int) -> None:
        super().__init__(config, num_classes)
        self.backbone = config.backbone.build()
        self.neck = config.neck.build(self.backbone.channels, self.backbone.strides)
        self.anchors = config.anchors.build()
        self.training_losses = DenseLosses(
            assigner=config.assigner.build(),
            coder=config.coder.build(),
            cls_loss=config.cls_loss.build(),
            loc_loss=config.loc_loss.build(),
            quality=config.quality.build() if config.quality else None,
            quality_weight=config.quality.weight if config.quality else 0,
            loc_weight=config.loc_weight,
            cls_normaliser=config.cls_normaliser,
            hard_negatives=config.hard_negatives,
        )
        levels = len(self.neck.strides)
        cls_loss = self.training_losses.cls_loss
        self.head = config.head.build(
            DenseShape(
                channels=self.neck.widths,
                anchors=tuple(self.anchors.per_location(level) for level in range(levels)),
                cls_channels=cls_loss.channels(num_classes),
                sigmoid=cls_loss.sigmoid,
                quality_on=config.quality.tower if config.quality else None,
            )
        )

    def as_batch(self, images: Images) -> ImageBatch:
        return super().as_batch(as_batch(images, self.config.padded_to))

    def outputs(self, batch: ImageBatch) -> tuple[DenseOutput, Anchors]:
        """What the network says of each anchor, and the anchors."""
        features = self.neck(self.backbone(batch.pixels))
        shapes = [(level.shape[-2], level.shape[-1]) for level in features]
        anchors = self.anchors(shapes, (batch.pixels.shape[-2], batch.pixels.shape[-1]), batch.pixels.device)
        return self.head(features).float(), anchors

    def losses(self, batch: ImageBatch, targets: Targets) -> dict[str, Tensor]:
        output, anchors = self.outputs(batch)
        return self.training_losses(output, anchors, targets)

    def candidates(self, batch: ImageBatch) -> Raw:
        output, anchors = self.outputs(batch)
        scores = self.training_losses.cls_loss.scores(output.cls)
        picked = best_candidates(scores, anchors, self.config.floor, self.config.candidates_per_level)
        at = picked.image, picked.anchor
        boxes = self.training_losses.coder.decode(anchors.boxes[picked.anchor], output.loc[at])
        return Raw(
            boxes=clip(boxes, boxes.new_tensor(batch.sizes)[picked.image]),
            scores=picked.scores,
            labels=picked.label,
            image=picked.image,
            source=picked.anchor,
            level=picked.level,
            num_images=len(batch),
            quality=self._quality(output, at),
        )

    def _quality(self, output: DenseOutput, at: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        quality = self.training_losses.quality
        if quality is None or output.quality is None:
            return {}
        return {quality.name: output.quality[at].sigmoid()}
