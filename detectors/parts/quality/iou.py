"""The IoU of the regressed box with its object, seen in the features of that box: the simplest quality."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from detectors.config import Count, Positive
from detectors.distributed import mean_over_ranks
from detectors.ops.boxes import aligned_iou
from detectors.parts.head.two_fc import two_fc
from detectors.parts.quality import Quality, QualityConfig, RoIPrediction, RoISpec, RoITraining
from detectors.raw import Raw


@dataclass(frozen=True, kw_only=True)
class Config(QualityConfig):
    width: Count = 1024
    per_image: Count = 128
    """At most this many positives of an image train it."""
    weight: Positive = 1.0

    def build(self, spec: RoISpec) -> Quality:
        return BoxIoU(self, spec)


class BoxIoU(Quality):
    """Binary cross-entropy on the positives, divided by their number."""

    def __init__(self, config: Config, spec: RoISpec) -> None:
        super().__init__()
        self.config = config
        self.shared = two_fc(spec.channels * spec.resolution**2, config.width)
        self.out = nn.Linear(config.width, 1)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

    def losses(self, context: RoITraining) -> dict[str, Tensor]:
        positives, slots = context.samples.positives(self.config.per_image)
        boxes = context.regressed.gather(1, slots[..., None].expand(-1, -1, 4))
        logits = self._judge(context.pool(boxes.flatten(0, 1), context.image.gather(1, slots).flatten()))
        iou = aligned_iou(boxes, positives.boxes(context.targets)).flatten()
        loss = functional.binary_cross_entropy_with_logits(logits, iou, reduction="none") * positives.valid.flatten()
        return {"quality_iou": self.config.weight * loss.sum() / mean_over_ranks(positives.valid.sum()).clamp(min=1)}

    def predict(self, context: RoIPrediction) -> Raw:
        raw = context.raw
        return raw.with_quality(iou=self._judge(context.pool(raw.boxes, raw.image)).sigmoid())

    def _judge(self, pooled: Tensor) -> Tensor:
        return self.out(self.shared(pooled)).squeeze(1).float()
