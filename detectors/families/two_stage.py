"""Detectors that propose boxes, then judge each: Faster R-CNN; with a quality part IoU-Net, IoU-Aware R-CNN, DIR."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from detectors.detector import Detector, Images
from detectors.families import DetectorConfig
from detectors.images import ImageBatch
from detectors.parts.backbone import BackboneConfig, resnet
from detectors.parts.neck import NeckConfig, fpn
from detectors.parts.proposals import ProposalsConfig, rpn
from detectors.parts.quality import QualityConfig, RoISpec
from detectors.parts.stage import StageConfig, box
from detectors.raw import Raw
from detectors.targets import Targets


@dataclass(frozen=True, kw_only=True)
class Config(DetectorConfig):
    backbone: BackboneConfig = field(default_factory=resnet.Config)
    neck: NeckConfig = field(default_factory=fpn.Config)
    proposals: ProposalsConfig = field(default_factory=rpn.Config)
    stage: StageConfig = field(default_factory=box.Config)
    quality: QualityConfig | None = None
    """Predicts how well boxes fit."""
    trains: Literal["all", "quality"] = "all"
    """`quality`: all the rest stays as it was loaded, as for a standalone IoU-Net."""

    def __post_init__(self) -> None:
        if self.trains == "quality" and self.quality is None:
            raise ValueError("trains = 'quality', but quality is null: name a quality part, or train 'all'")

    def build(self, num_classes: int) -> "TwoStage":
        return TwoStage(self, num_classes)


class TwoStage(Detector):
    config: Config

    def __init__(self, config: Config, num_classes: int) -> None:
        super().__init__(config, num_classes)
        self.backbone = config.backbone.build()
        self.neck = config.neck.build(self.backbone.channels, self.backbone.strides)
        self.proposals = config.proposals.build(self.neck.channels, self.neck.strides)
        self.stage = config.stage.build(self.neck.channels, self.neck.strides, num_classes)
        if config.trains == "quality":
            self.requires_grad_(False)
        spec = RoISpec(self.neck.channels, self.neck.strides, self.stage.resolution, num_classes)
        self.quality = config.quality.build(spec) if config.quality else None

    def train(self, mode: bool = True) -> "TwoStage":
        super().train(mode)
        if self.config.trains == "quality":
            self.backbone.eval()
            self.neck.eval()
        return self

    def losses(self, batch: ImageBatch, targets: Targets) -> dict[str, Tensor]:
        features, sizes = self.neck(self.backbone(batch.pixels)), _sizes(batch)
        proposals, losses = self.proposals(features, _padded(batch), sizes, targets)
        of_stage, context = self.stage.losses(features, sizes, proposals, targets)
        losses = losses | of_stage if self.config.trains == "all" else {}
        return losses if self.quality is None else losses | self.quality.losses(context)

    def candidates(self, batch: ImageBatch) -> Raw:
        features, sizes = self.neck(self.backbone(batch.pixels)), _sizes(batch)
        proposals, _ = self.proposals(features, _padded(batch), sizes, None)
        context = self.stage.predict(features, sizes, proposals, self.config.floor)
        return context.raw if self.quality is None else self.quality.predict(context)

    @torch.no_grad()
    def rate(self, images: Images, raw: Raw) -> Raw:
        """Another detector's raw predictions with this one's qualities: they are taken as regressed boxes."""
        if self.quality is None:
            raise ValueError("quality: this detector has none that could rate boxes; give its config a quality part")
        batch = self.as_batch(images)
        features: Sequence[Tensor] = self.neck(self.backbone(batch.pixels))
        return self.quality.predict(self.stage.given(features, _sizes(batch), raw))

    @torch.no_grad()
    def regressed(self, images: Images, boxes: Tensor, image: Tensor, labels: Tensor) -> Tensor:
        """[N, 4] what the detector makes of boxes that come from elsewhere, each in its image, for these classes."""
        batch = self.as_batch(images)
        features = self.neck(self.backbone(batch.pixels))
        return self.stage.regressor(features, _sizes(batch))(boxes, image, labels)


def _sizes(batch: ImageBatch) -> Tensor:
    """[B, 2] (height, width)"""
    return torch.tensor(batch.sizes, dtype=torch.float32).to(batch.pixels.device, non_blocking=True)


def _padded(batch: ImageBatch) -> tuple[int, int]:
    return (batch.pixels.shape[-2], batch.pixels.shape[-1])
