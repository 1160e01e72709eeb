"""The second stage of Fast R-CNN: assign, sample, pool, judge, regress."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from detectors.ops.boxes import clip
from detectors.parts.anchors import Anchors
from detectors.parts.assign import IGNORED, AssignConfig, Assignment, max_iou
from detectors.parts.coder import CoderConfig, delta
from detectors.parts.head import RoIHeadConfig, two_fc
from detectors.parts.loss import ClsLossConfig, LocLossConfig, cross_entropy, smooth_l1
from detectors.parts.pool import PoolBoxes, PoolConfig, roi_align
from detectors.parts.proposals import Proposals
from detectors.parts.quality import Regress, RoIPrediction, RoITraining, image_index
from detectors.parts.sample import SampleConfig, Samples, random
from detectors.parts.sample.losses import Judged, sampled_losses
from detectors.parts.stage import Stage, StageConfig
from detectors.raw import Raw
from detectors.targets import Targets


@dataclass(frozen=True, kw_only=True)
class Config(StageConfig):
    assigner: AssignConfig = field(default_factory=max_iou.Config)
    sampler: SampleConfig = field(default_factory=random.Config)
    pool: PoolConfig = field(default_factory=roi_align.Config)
    head: RoIHeadConfig = field(default_factory=two_fc.Config)
    coder: CoderConfig = field(default_factory=delta.Config)
    cls_loss: ClsLossConfig = field(default_factory=cross_entropy.Config)
    loc_loss: LocLossConfig = field(default_factory=smooth_l1.Config)
    class_agnostic: bool = False
    """One box a proposal instead of one a class."""
    add_objects: bool = True
    """In training the objects themselves are proposals too."""

    def build(self, channels: int, strides: Sequence[int], num_classes: int) -> Stage:
        return BoxStage(self, channels, strides, num_classes)


class BoxStage(Stage):
    def __init__(self, config: Config, channels: int, strides: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.config = config
        self.resolution = config.pool.resolution
        self.assigner, self.sampler, self.coder = config.assigner.build(), config.sampler.build(), config.coder.build()
        self.cls_loss, self.loc_loss = config.cls_loss.build(), config.loc_loss.build()
        self.pool = config.pool.build(strides)
        box_channels = 4 if config.class_agnostic else 4 * num_classes
        self.head = config.head.build(channels, self.resolution, self.cls_loss.channels(num_classes), box_channels)

    def losses(
        self, features: Sequence[Tensor], sizes: Tensor, proposals: Proposals, targets: Targets
    ) -> tuple[dict[str, Tensor], RoITraining]:
        pool = self.pool.on(features)
        boxes, samples = self._draw(proposals, targets)
        pooled = pool(boxes.flatten(0, 1), image_index(boxes).flatten())
        logits, codes = self.head(pooled)
        labels = samples.labels(targets)
        codes = self._codes_of(codes, labels.flatten()).view_as(boxes)
        judged = Judged(samples, boxes, samples.boxes(targets), logits.view(*boxes.shape[:2], -1), codes, labels)
        cls, box = sampled_losses(judged, self.coder, self.cls_loss, self.loc_loss)
        context = RoITraining(
            features=features,
            sizes=sizes,
            targets=targets,
            proposals=proposals,
            samples=samples,
            boxes=boxes,
            pooled=pooled,
            regressed=clip(self.coder.decode(boxes, codes.detach()), sizes[:, None]),
            pool=pool,
            regress=self._regress(pool, sizes),
            assign=lambda boxes, valid: self._assign(boxes, valid, targets),
        )
        return {"cls": cls, "box": box}, context

    def predict(self, features: Sequence[Tensor], sizes: Tensor, proposals: Proposals, floor: float) -> RoIPrediction:
        pool = self.pool.on(features)
        image, source = proposals.valid.nonzero().unbind(1)
        boxes = proposals.boxes[image, source]
        pooled = pool(boxes, image)
        logits, codes = self.head(pooled)
        scores = self.cls_loss.scores(logits.float())
        used = (scores > floor).any(1).nonzero().squeeze(1)
        image, source, boxes, codes, scores = (column[used] for column in (image, source, boxes, codes, scores))
        row, label = (scores > floor).nonzero().unbind(1)
        raw = Raw(
            boxes=self._decode(boxes[row], self._codes_of(codes[row], label), sizes[image[row]]),
            scores=scores[row, label],
            labels=label,
            image=image[row],
            source=source[row],
            level=proposals.level[image, source][row],
            num_images=len(sizes),
        )
        best = self._decode(boxes, self._codes_of(codes, scores.argmax(1)), sizes[image])
        return RoIPrediction(
            features=features,
            sizes=sizes,
            raw=raw,
            proposal=row,
            boxes=boxes,
            image=image,
            best=best,
            seen=pooled,
            kept=used,
            pool=pool,
            regress=self._regress(pool, sizes),
        )

    def given(self, features: Sequence[Tensor], sizes: Tensor, raw: Raw) -> RoIPrediction:
        pool = self.pool.on(features)
        every = torch.arange(len(raw), device=raw.boxes.device)
        return RoIPrediction(
            features=features,
            sizes=sizes,
            raw=raw,
            proposal=every,
            boxes=raw.boxes,
            image=raw.image,
            best=raw.boxes,
            seen=pool(raw.boxes, raw.image),
            kept=every,
            pool=pool,
            regress=self._regress(pool, sizes),
        )

    def regressor(self, features: Sequence[Tensor], sizes: Tensor) -> Regress:
        return self._regress(self.pool.on(features), sizes)

    def _draw(self, proposals: Proposals, targets: Targets) -> tuple[Tensor, Samples]:
        """The boxes that train this step, and how they were drawn."""
        boxes, valid = proposals.boxes, proposals.valid
        if self.config.add_objects:
            boxes, valid = torch.cat([boxes, targets.boxes], 1), torch.cat([valid, targets.objects], 1)
        samples = self.sampler(self._assign(boxes, valid, targets))
        return samples.of(boxes), samples

    def _assign(self, boxes: Tensor, valid: Tensor, targets: Targets) -> Assignment:
        assignment = self.assigner(Anchors.of(boxes), targets)
        return Assignment(matched=assignment.matched.masked_fill(~valid, IGNORED), iou=assignment.iou)

    def _regress(self, pool: PoolBoxes, sizes: Tensor) -> Regress:
        @torch.no_grad()
        def regress(boxes: Tensor, image: Tensor, labels: Tensor) -> Tensor:
            _, codes = self.head(pool(boxes, image))
            return self._decode(boxes, self._codes_of(codes, labels), sizes[image])

        return regress

    def _decode(self, boxes: Tensor, codes: Tensor, sizes: Tensor) -> Tensor:
        return clip(self.coder.decode(boxes, codes), sizes)

    def _codes_of(self, codes: Tensor, labels: Tensor) -> Tensor:
        """[N, 4 or 4 K] -> [N, 4]: those for each box's class."""
        if self.config.class_agnostic:
            return codes
        return codes.unflatten(1, (-1, 4))[torch.arange(len(codes), device=codes.device), labels]
