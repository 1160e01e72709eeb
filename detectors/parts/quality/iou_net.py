"""IoU-Net: the IoU of any box, learnt from ground truth that is jittered evenly over the IoU."""

from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Lt
from torch import Tensor
from torch.nn import functional

from detectors.config import Count, Positive
from detectors.distributed import mean_over_ranks, uniform_per_image
from detectors.ops import aligned_iou, clip
from detectors.ops.jitter import boxes_at_iou
from detectors.parts.pool import PoolConfig, prroi
from detectors.parts.quality import Quality, QualityConfig, RoIPrediction, RoISpec, RoITraining, image_index
from detectors.parts.quality.judge import Judge, judged_boxes
from detectors.parts.refine import RefineConfig, gradient
from detectors.raw import Raw
from detectors.targets import Targets


@dataclass(frozen=True, kw_only=True)
class Config(QualityConfig):
    after_training: ClassVar[tuple[str, ...]] = ("judged", "refine")

    pool: PoolConfig = field(default_factory=prroi.Config)
    count: Count = 512
    """Jittered boxes an image, shared evenly among its objects; stated nowhere by the authors."""
    low: Annotated[float, Ge(0), Lt(1)] = 0.5
    """IoUs are drawn evenly from here to 1; the network predicts where in that range a box lies, from 0 to 1."""
    reassign: bool = False
    """A jittered box answers for the object that it overlaps most, by the detector's assigner, or for none; instead of
    for the one that it was made from."""
    loss: Literal["smooth_l1", "l1", "bce"] = "smooth_l1"
    """bce: binary cross-entropy, and predictions through a sigmoid."""
    weight: Positive = 5.0
    class_agnostic: bool = False
    judged: Literal["own", "best"] = "own"
    """The box whose IoU counts for a candidate: its own, or its proposal's for the most probable class."""
    refine: RefineConfig | None = None
    width: Count = 1024

    def __post_init__(self) -> None:
        if isinstance(self.refine, gradient.Config) and not isinstance(self.pool, prroi.Config):
            raise ValueError(
                f"pool = {self.pool.kind!r} has no gradient to boxes, which refine = 'gradient' needs: use 'prroi'"
            )

    def build(self, spec: RoISpec) -> Quality:
        return IoUNet(self, spec)


class IoUNet(Quality):
    def __init__(self, config: Config, spec: RoISpec) -> None:
        super().__init__()
        self.config = config
        self.pool = config.pool.build(spec.strides)
        self.refine = config.refine.build() if config.refine else None
        pooled = RoISpec(spec.channels, spec.strides, config.pool.resolution, spec.num_classes)
        self.judge = Judge(pooled, config.width, config.class_agnostic)

    def losses(self, context: RoITraining) -> dict[str, Tensor]:
        boxes, labels, iou, valid = self._examples(context)
        pooled = self.pool.on(context.features)(boxes.flatten(0, 1), image_index(boxes).flatten())
        output = self.judge(pooled, labels.flatten())
        target = (iou.flatten() - self.config.low) / (1 - self.config.low)
        error = torch.where(valid.flatten(), self._error(output, target.clamp(0, 1)), 0)
        return {"quality_iou": self.config.weight * error.sum() / mean_over_ranks(valid.sum()).clamp(min=1)}

    def predict(self, context: RoIPrediction) -> Raw:
        pool = self.pool.on(context.features)
        boxes, image, row = judged_boxes(context, self.config.judged)
        iou = self._iou(self.judge(pool(boxes, image), context.raw.labels, row))
        raw = context.raw.with_quality(iou=iou.clamp(0, 1))
        if self.refine is None:
            return raw
        exact = self.pool.on([level.float() for level in context.features])

        def rate(boxes: Tensor, image: Tensor, labels: Tensor) -> Tensor:
            """In single precision: gains of a step are smaller than what autocast keeps."""
            with torch.autocast(boxes.device.type, enabled=False):
                return self._iou(self.judge(exact(boxes.float(), image), labels))

        refined = self.refine(raw, rate, context.regress)
        return replace(refined, boxes=clip(refined.boxes, context.sizes[refined.image]))

    def _examples(self, context: RoITraining) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Boxes [B, N, 4], their objects' classes, IoUs with them, and which of them count."""
        targets = context.targets
        objects, labels, exists = spread(targets, self.config.count)
        boxes = clip(self._jitter(objects), context.sizes[:, None])
        if not self.config.reassign:
            iou = aligned_iou(boxes, objects)
            return boxes, labels, iou, exists & (iou > 0)
        assignment = context.assign(boxes, exists)
        return boxes, assignment.labels(targets).clamp(min=0), assignment.iou, assignment.positive

    def _jitter(self, objects: Tensor) -> Tensor:
        """Draws as `uniform_per_image` does: five numbers a box, the IoU and a direction of even angle."""
        images, count = objects.shape[:2]
        draw = uniform_per_image(images, 5 * count, objects.device).view(images, count, 5)
        direction = torch.erfinv(draw[..., 1:].double().clamp(1e-7, 1 - 1e-7) * 2 - 1)
        return boxes_at_iou(objects, self.config.low + (1 - self.config.low) * draw[..., 0], direction)

    def _error(self, output: Tensor, target: Tensor) -> Tensor:
        if self.config.loss == "bce":
            return functional.binary_cross_entropy_with_logits(output, target, reduction="none")
        if self.config.loss == "l1":
            return functional.l1_loss(output, target, reduction="none")
        return functional.smooth_l1_loss(output, target, reduction="none")

    def _iou(self, output: Tensor) -> Tensor:
        share = output.sigmoid() if self.config.loss == "bce" else output
        return self.config.low + (1 - self.config.low) * share


def spread(targets: Targets, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """`count` slots an image over its objects in turn: boxes [B, count, 4], labels, and false where there is none."""
    objects = targets.objects
    in_front = objects.byte().argsort(dim=1, descending=True, stable=True)
    number = objects.sum(1, keepdim=True)
    turn = torch.arange(count, device=objects.device) % number.clamp(min=1)
    slot = in_front.gather(1, turn)
    boxes = targets.boxes.gather(1, slot[..., None].expand(-1, -1, 4))
    return boxes, targets.labels.gather(1, slot), (number > 0).expand(-1, count)
