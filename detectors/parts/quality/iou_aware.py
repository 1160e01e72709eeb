"""IoU-Aware R-CNN: the IoU of regressed boxes, learnt from boxes of low and of high IoU (H+L-Sampling)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from detectors.config import Count, Positive
from detectors.distributed import mean_images, mean_over_ranks, uniform_per_image
from detectors.parts.quality import Quality, QualityConfig, RoIPrediction, RoISpec, RoITraining, image_index
from detectors.parts.quality.judge import Judge, judged_boxes
from detectors.raw import Raw


@dataclass(frozen=True, kw_only=True)
class Config(QualityConfig):
    after_training: ClassVar[tuple[str, ...]] = ("judged",)

    sampling: Literal["l", "h", "h_plus_l"] = "h_plus_l"
    """l: positive proposals; h: what the detector makes of them for their objects' classes, assigned anew; or both."""
    count: Count = 64
    """Proposals drawn from the positives of each image, objects themselves not among them."""
    high_weight: Positive = 2.0
    """Weight of the set h beside 1 for the set l."""
    normaliser: Literal["samples", "positives"] = "samples"
    """What each set's loss is divided by: `count` an image whether or not there are so many, as in the authors' code
    and behind the published numbers; or the set's positives."""
    class_agnostic: bool = True
    """One prediction a box, as in the paper's ablations, or one a class, as in its main results."""
    judged: Literal["own", "best"] = "best"
    """The box whose IoU counts for a candidate: the proposal's for its most probable class, or the candidate's own."""
    width: Count = 1024

    def build(self, spec: RoISpec) -> Quality:
        return IoUAware(self, spec)


class IoUAware(Quality):
    """The output is the IoU itself, trained by its absolute error; only predictions are clamped to [0, 1]."""

    def __init__(self, config: Config, spec: RoISpec) -> None:
        super().__init__()
        self.config = config
        self.judge = Judge(spec, config.width, config.class_agnostic, std=0.001)

    def losses(self, context: RoITraining) -> dict[str, Tensor]:
        boxes, labels, valid = self._draw(context)
        losses = {}
        if self.config.sampling != "h":
            losses["quality_iou_l"] = self._loss(context, boxes, valid)
        if self.config.sampling != "l":
            image = image_index(boxes).flatten()
            regressed = context.regress(boxes.flatten(0, 1), image, labels.flatten()).view_as(boxes)
            losses["quality_iou_h"] = self.config.high_weight * self._loss(context, regressed, valid)
        return losses

    def predict(self, context: RoIPrediction) -> Raw:
        boxes, image, row = judged_boxes(context, self.config.judged)
        iou = self.judge(context.pool(boxes, image), context.raw.labels, row)
        return context.raw.with_quality(iou=iou.clamp(0, 1))

    def _draw(self, context: RoITraining) -> tuple[Tensor, Tensor, Tensor]:
        """At random from each image's positive proposals: boxes [B, S, 4], their objects' classes, and which exist."""
        proposals = context.proposals
        assignment = context.assign(proposals.boxes, proposals.valid)
        images, number = assignment.matched.shape
        draw = uniform_per_image(images, number, assignment.matched.device)
        key = draw.masked_fill(~assignment.positive, -1)
        best = key.topk(min(self.config.count, key.shape[1]), dim=1)
        boxes = proposals.boxes.gather(1, best.indices[..., None].expand(-1, -1, 4))
        return boxes, assignment.labels(context.targets).clamp(min=0).gather(1, best.indices), best.values >= 0

    def _loss(self, context: RoITraining, boxes: Tensor, valid: Tensor) -> Tensor:
        """Assigned anew, these boxes may answer for another object, or for none and drop out."""
        assignment = context.assign(boxes, valid)
        labels = assignment.labels(context.targets).clamp(min=0)
        predicted = self.judge(context.pool(boxes.flatten(0, 1), image_index(boxes).flatten()), labels.flatten())
        error = (predicted - assignment.iou.flatten()).abs()
        total = torch.where(assignment.positive.flatten(), error, 0).sum()
        if self.config.normaliser == "samples":
            return total / (self.config.count * mean_images(len(boxes)))
        return total / mean_over_ranks(assignment.positive.sum()).clamp(min=1)
