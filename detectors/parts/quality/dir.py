"""DIR: purity and integrity of regressed boxes, seen in hindsight, whose combination is the IoU."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from detectors.config import Count, Positive, Unit
from detectors.distributed import mean_over_ranks
from detectors.ops import aligned_iou, integrity, iou_logit_from_purity_integrity_logits, purity
from detectors.parts.quality import Quality, QualityConfig, RoIPrediction, RoISpec, RoITraining, image_index
from detectors.parts.quality.judge import Judge, confident, judged_boxes
from detectors.raw import Raw

MEASURES = {"purity": purity, "integrity": integrity, "iou": aligned_iou}


@dataclass(frozen=True, kw_only=True)
class Config(QualityConfig):
    after_training: ClassVar[tuple[str, ...]] = ("infer_on", "judged", "min_cls")

    regressor: Literal["decoupled", "direct"] = "decoupled"
    """decoupled: purity, integrity and the IoU that follows from them; direct: the IoU alone, for comparison."""
    train_on: Literal["box", "proposal"] = "box"
    """Which features a box is judged by: its own (hindsight), or those of its proposal (foresight)."""
    infer_on: Literal["box", "proposal"] = "box"
    judged: Literal["own", "best"] = "best"
    """In hindsight: the proposal's box for its most probable class, which of a class-agnostic detector is every
    candidate's box; or the candidate's own box."""
    min_cls: Unit = 0.05
    """Candidates with a class score of this or less are not judged, and dropped."""
    per_image: Count = 128
    """At most this many positives of an image train it."""
    weight: Positive = 1.0
    learning_rate: Positive = 1.0
    """Factor of the learning rate of these layers alone: 3 in the paper's check of its gain."""
    width: Count = 1024

    def build(self, spec: RoISpec) -> Quality:
        return DIR(self, spec)


class DIR(Quality):
    """Class-agnostic. Binary cross-entropy of each quantity over the positives; boxes and targets are constants.

    Raw predictions get `purity`, `integrity`, the combined `iou` and, for comparison, the `geometric` and `arithmetic`
    means of the first two: to rank by another of them is a rescore.
    """

    def __init__(self, config: Config, spec: RoISpec) -> None:
        super().__init__()
        self.config = config
        names = ("purity", "integrity") if config.regressor == "decoupled" else ("iou",)
        self.judges = nn.ModuleDict({name: Judge(spec, config.width, class_agnostic=True) for name in names})

    def losses(self, context: RoITraining) -> dict[str, Tensor]:
        positives, slots = context.samples.positives(self.config.per_image)
        boxes = context.regressed.gather(1, slots[..., None].expand(-1, -1, 4)).flatten(0, 1)
        logits = self._logits(self._pooled(context, boxes, slots), positives.labels(context.targets).flatten())
        objects, valid = positives.boxes(context.targets).flatten(0, 1), positives.valid.flatten()
        targets = {name: measure(boxes, objects) for name, measure in MEASURES.items() if name in logits}
        scale = self.config.weight * self.config.learning_rate / mean_over_ranks(valid.sum()).clamp(min=1)
        return {
            f"quality_{name}": scale * torch.where(valid, bce(logits[name], target, reduction="none"), 0).sum()
            for name, target in targets.items()
        }

    def predict(self, context: RoIPrediction) -> Raw:
        context = confident(context, self.config.min_cls)
        boxes, image, row = judged_boxes(context, self.config.judged if self.config.infer_on == "box" else "proposal")
        pooled = context.pool(boxes, image) if self.config.infer_on == "box" else context.pooled
        seen = {name: logit.sigmoid() for name, logit in self._logits(pooled, context.raw.labels, row).items()}
        if self.config.regressor == "decoupled":
            p, i = seen["purity"], seen["integrity"]
            seen |= {"geometric": (p * i).sqrt(), "arithmetic": (p + i) / 2}
        return context.raw.with_quality(**seen)

    def _logits(self, pooled: Tensor, labels: Tensor, row: Tensor | None = None) -> dict[str, Tensor]:
        logits = {name: judge(pooled, labels, row) for name, judge in self.judges.items()}
        if self.config.regressor == "decoupled":
            logits["iou"] = iou_logit_from_purity_integrity_logits(logits["purity"], logits["integrity"])
        return logits

    def _pooled(self, context: RoITraining, boxes: Tensor, slots: Tensor) -> Tensor:
        """Features of the positives; with another learning rate, such that only these layers learn faster."""
        images, samples = context.boxes.shape[:2]
        if self.config.train_on == "box":
            pooled = context.pool(boxes, context.image.gather(1, slots).flatten())
        else:
            pooled = context.pooled.unflatten(0, (images, samples))[image_index(slots), slots].flatten(0, 1)
        share = 1 / self.config.learning_rate
        return pooled if share == 1 else pooled * share + pooled.detach() * (1 - share)
