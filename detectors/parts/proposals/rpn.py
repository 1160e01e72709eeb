"""The region proposal network of Faster R-CNN on a pyramid."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from detectors.config import Count, NonNegative, Positive, Unit
from detectors.ops.boxes import clip
from detectors.ops.groups import grouped_nms
from detectors.parts.anchors import Anchors, AnchorsConfig, grid
from detectors.parts.assign import AssignConfig, max_iou
from detectors.parts.coder import CoderConfig, delta
from detectors.parts.conv3x3 import Conv3x3
from detectors.parts.loss import ClsLossConfig, LocLossConfig, bce, smooth_l1
from detectors.parts.proposals import Proposals, ProposalsConfig, Proposer
from detectors.parts.sample import SampleConfig, random
from detectors.parts.sample.losses import Judged, sampled_losses
from detectors.targets import Targets


@dataclass(frozen=True, kw_only=True)
class Config(ProposalsConfig):
    anchors: AnchorsConfig = field(
        default_factory=lambda: grid.Config(sizes=((32.0,), (64.0,), (128.0,), (256.0,), (512.0,)))
    )
    assigner: AssignConfig = field(
        default_factory=lambda: max_iou.Config(positive=0.7, negative=0.3, low_quality="preferred")
    )
    sampler: SampleConfig = field(default_factory=lambda: random.Config(count=256, positive_share=0.5))
    coder: CoderConfig = field(default_factory=lambda: delta.Config(stds=(1.0, 1.0, 1.0, 1.0)))
    cls_loss: ClsLossConfig = field(default_factory=bce.Config)
    loc_loss: LocLossConfig = field(default_factory=smooth_l1.Config)
    per_level: tuple[Count, Count] = (2000, 1000)
    """Candidates a level, in training and in evaluation, before suppression ..."""
    count: tuple[Count, Count] = (2000, 1000)
    """... and proposals an image after it."""
    iou_threshold: Unit = 0.7
    init_std: Positive = 0.01
    """Of the weights of the hidden convolution."""
    min_size: NonNegative = 0.001

    def build(self, channels: int, strides: Sequence[int]) -> Proposer:
        return RPN(self, channels)


class RPN(Proposer):
    def __init__(self, config: Config, channels: int) -> None:
        super().__init__()
        self.config = config
        self.anchors = config.anchors.build()
        self.assigner, self.sampler, self.coder = config.assigner.build(), config.sampler.build(), config.coder.build()
        self.cls_loss, self.loc_loss = config.cls_loss.build(), config.loc_loss.build()
        per_location = self.anchors.per_location()
        self.conv = Conv3x3(channels, channels)
        self.cls = nn.Conv2d(channels, per_location, 1)
        self.box = nn.Conv2d(channels, 4 * per_location, 1)
        for layer, std in ((self.conv, config.init_std), (self.cls, 0.01), (self.box, 0.01)):
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.get_parameter("bias"))

    def forward(
        self, features: Sequence[Tensor], padded: tuple[int, int], sizes: Tensor, targets: Targets | None
    ) -> tuple[Proposals, dict[str, Tensor]]:
        anchors = self.anchors([(level.shape[-2], level.shape[-1]) for level in features], padded, features[0].device)
        logits, codes = self._judge(features)
        proposals = self._propose(anchors, logits.detach(), codes.detach(), sizes)
        return proposals, {} if targets is None else self._losses(anchors, logits, codes, targets)

    def _judge(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits [B, A] and codes [B, A, 4], in the order of the anchors."""
        logits, codes = [], []
        for convolved in self.conv(features):
            hidden = functional.relu(convolved, inplace=True)
            logits.append(self.cls(hidden).permute(0, 2, 3, 1).flatten(1))
            codes.append(self.box(hidden).permute(0, 2, 3, 1).reshape(len(hidden), -1, 4))
        return torch.cat(logits, 1).float(), torch.cat(codes, 1).float()

    @torch.no_grad()
    def _propose(self, anchors: Anchors, logits: Tensor, codes: Tensor, sizes: Tensor) -> Proposals:
        counts = [min(self.config.per_level[not self.training], count) for count in anchors.counts]
        chosen = _best_of_levels(logits.split(anchors.counts, dim=1), counts)
        scores = logits.gather(1, chosen).sigmoid()
        level = anchors.level[chosen]
        references = anchors.boxes[chosen]
        boxes = self.coder.decode(references, codes.gather(1, chosen[..., None].expand(-1, -1, 4)))
        boxes = clip(boxes, sizes[:, None])
        large = (boxes[..., 2:] - boxes[..., :2] >= self.config.min_size).all(-1)
        survives = self._survivors(boxes, scores.masked_fill(~large, -1), level, counts) & large
        ranked = scores.masked_fill(~survives, -1)
        best = ranked.topk(min(self.config.count[not self.training], ranked.shape[1]), dim=1)
        pick, valid = best.indices, best.values >= 0
        boxes = boxes.gather(1, pick[..., None].expand(-1, -1, 4)) * valid[..., None]
        return Proposals(boxes=boxes, scores=best.values.clamp(min=0), valid=valid, level=level.gather(1, pick))

    def _survivors(self, boxes: Tensor, scores: Tensor, level: Tensor, counts: Sequence[int]) -> Tensor:
        """[B, C] bool: what NMS leaves of each image's levels."""
        image = torch.arange(len(boxes), device=boxes.device)[:, None]
        groups = (image * len(counts) + level).flatten()
        known = [*counts] * len(boxes)
        kept = grouped_nms(boxes.flatten(0, 1), scores.flatten(), groups, self.config.iou_threshold, known)
        return torch.zeros_like(scores, dtype=torch.bool).flatten().index_fill_(0, kept, True).view_as(scores)

    def _losses(self, anchors: Anchors, logits: Tensor, codes: Tensor, targets: Targets) -> dict[str, Tensor]:
        samples = self.sampler(self.assigner(anchors, targets))
        judged = Judged(
            samples=samples,
            references=anchors.boxes[samples.index],
            objects=samples.boxes(targets),
            logits=samples.of(logits)[..., None],
            codes=samples.of(codes),
            labels=torch.zeros_like(samples.index),
        )
        cls, box = sampled_losses(judged, self.coder, self.cls_loss, self.loc_loss)
        return {"rpn_cls": cls, "rpn_box": box}


def _best_of_levels(levels: Sequence[Tensor], counts: Sequence[int]) -> Tensor:
    """[B, C] int64: so many of the best anchors of every level [B, A_l]."""
    start, chosen = 0, []
    for level, count in zip(levels, counts, strict=True):
        chosen.append(level.topk(count, dim=1).indices + start)
        start += level.shape[1]
    return torch.cat(chosen, 1)
