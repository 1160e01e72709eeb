"""What a dense detector is trained on: the assignment, then class, box and quality losses of all images at once."""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from detectors.distributed import mean_images, mean_over_ranks
from detectors.ops.boxes import aligned_iou
from detectors.parts.anchors import Anchors
from detectors.parts.assign import BACKGROUND, IGNORED, AnchorLoss, Assigner, Assignment
from detectors.parts.coder import Coder
from detectors.parts.dense_head import DenseOutput
from detectors.parts.dense_quality import DenseQuality
from detectors.parts.dense_quality.centerness import centerness
from detectors.parts.loss import ClsLoss, Fit, LocLoss
from detectors.targets import Targets

LocWeight = Literal["none", "centerness", "iou"]
ClsNormaliser = Literal["positives", "positives_and_images"]


@dataclass(frozen=True)
class Positives:
    """The positives of a batch as rows: only they on a CPU; elsewhere, where counting would wait, all anchors."""

    index: Tensor
    """[P] int64: where they lie among the B * A anchors"""
    mask: Tensor
    """[P] bool: false for rows that only fill"""
    references: Tensor
    """[P, 4] anchors"""
    codes: Tensor
    """[P, 4] as the network said"""
    boxes: Tensor
    """[P, 4] decoded, with gradients"""
    objects: Tensor
    """[P, 4] boxes of the matched objects"""
    iou: Tensor
    """[P] of `boxes` with `objects`, without gradients; 0 in rows that only fill"""

    @property
    def centers(self) -> Tensor:
        return (self.references[:, :2] + self.references[:, 2:]) / 2

    def sums(self, values: Tensor) -> Tensor:
        """[P] or [P, n] values summed to [P], 0 in rows that only fill."""
        return torch.where(self.mask, values.sum(1) if values.ndim > 1 else values, 0)

    def spread(self, values: Tensor, like: Tensor) -> Tensor:
        """[P] values in their places among anchors [B, A], 0 elsewhere."""
        return values.new_zeros(like.numel()).index_copy(0, self.index, values).view_as(like)


class DenseLosses(nn.Module):
    """`losses(output, anchors, targets)` -> scalars by name: `cls`, `loc`, and that of the quality."""

    compact: bool | None = None
    """whether only positives are rows of `Positives`; None: on a CPU, where counting them waits for nothing"""

    def __init__(
        self,
        *,
        assigner: Assigner,
        coder: Coder,
        cls_loss: ClsLoss,
        loc_loss: LocLoss,
        quality: DenseQuality | None = None,
        quality_weight: float = 1.0,
        loc_weight: LocWeight = "none",
        cls_normaliser: ClsNormaliser = "positives",
        hard_negatives: float | None = None,
    ) -> None:
        super().__init__()
        self.assigner, self.coder, self.cls_loss, self.loc_loss = assigner, coder, cls_loss, loc_loss
        self.quality, self.quality_weight = quality, quality_weight
        self.loc_weight, self.cls_normaliser, self.hard_negatives = loc_weight, cls_normaliser, hard_negatives

    def forward(self, output: DenseOutput, anchors: Anchors, targets: Targets) -> dict[str, Tensor]:
        assignment = self.assign(output, anchors, targets)
        positives = self.positives(output, anchors, targets, assignment)
        labels = assignment.labels(targets)
        count = mean_over_ranks(assignment.positive.sum().float()).clamp(min=1)
        losses = {
            "cls": self._cls(output, anchors, labels, positives, count),
            "loc": self._loc(anchors, positives, count, len(labels)),
        }
        if self.quality is not None and output.quality is not None:
            logits = output.quality.flatten()[positives.index]
            target = self.quality.target(positives.centers, positives.boxes, positives.objects)
            values = functional.binary_cross_entropy_with_logits(logits, target.detach(), reduction="none")
            losses[self.quality.name] = self.quality_weight * positives.sums(values).sum() / count
        return losses

    @torch.no_grad()
    def assign(self, output: DenseOutput, anchors: Anchors, targets: Targets) -> Assignment:
        return self.assigner(anchors, targets, partial(self.anchor_loss, output, anchors, targets))

    @torch.no_grad()
    def anchor_loss(
        self, output: DenseOutput, anchors: Anchors, targets: Targets, assignment: Assignment
    ) -> AnchorLoss:
        """What the network loses on each positive of an assignment: PAA's score of an anchor, as -log."""
        rows = self.positives(output, anchors, targets, assignment)
        labels = assignment.labels(targets).flatten()[rows.index]
        cls = rows.sums(self.cls_loss.unbalanced(output.cls.flatten(0, 1)[rows.index], labels))
        loc = rows.sums(self._loc_values(self.loc_loss.unbalanced, rows))
        return AnchorLoss(cls=rows.spread(cls, assignment.matched), loc=rows.spread(loc, assignment.matched))

    def positives(self, output: DenseOutput, anchors: Anchors, targets: Targets, assignment: Assignment) -> Positives:
        positive = assignment.positive.flatten()
        compact = positive.device.type == "cpu" if self.compact is None else self.compact
        index = positive.nonzero().squeeze(1) if compact else torch.arange(len(positive), device=positive.device)
        mask, codes = positive[index], output.loc.flatten(0, 1)[index]
        references = anchors.boxes.expand(len(output.loc), -1, -1).flatten(0, 1)[index]
        boxes, objects = self.coder.decode(references, codes), assignment.boxes(targets).flatten(0, 1)[index]
        return Positives(
            index=index,
            mask=mask,
            references=references,
            codes=codes,
            boxes=boxes,
            objects=objects,
            iou=torch.where(mask, aligned_iou(boxes.detach(), objects), 0),
        )

    def _cls(self, output: DenseOutput, anchors: Anchors, labels: Tensor, rows: Positives, count: Tensor) -> Tensor:
        fit = None
        if self.cls_loss.balanced_over is not None:
            iou = rows.spread(rows.iou, labels).flatten()
            everywhere = torch.arange(len(iou), device=iou.device)
            fit = grouped_fit(self.cls_loss, iou, everywhere, anchors, len(labels))
        values = self.cls_loss(output.cls.flatten(0, 1), labels.flatten(), fit).view(*labels.shape, -1).sum(2)
        values = torch.where(labels == IGNORED, 0, values)
        if self.hard_negatives is not None:
            values = torch.where(hardest(values.detach(), labels, self.hard_negatives), values, 0)
        images = mean_images(len(labels)) if self.cls_normaliser == "positives_and_images" else 0
        return self.cls_loss.total(values, count + images)

    def _loc(self, anchors: Anchors, rows: Positives, count: Tensor, images: int) -> Tensor:
        fit = grouped_fit(self.loc_loss, rows.iou, rows.index, anchors, images, rows.mask)
        values = rows.sums(self._loc_values(self.loc_loss, rows, fit))
        if self.loc_weight == "none":
            return self.loc_loss.total(values, count)
        weight = rows.iou if self.loc_weight == "iou" else rows.sums(centerness(rows.centers, rows.objects))
        return self.loc_loss.total(values * weight, mean_over_ranks(weight.sum()).clamp(min=1e-6))

    def _loc_values(self, loss: LocLoss, rows: Positives, fit: Fit | None = None) -> Tensor:
        if loss.on == "boxes":
            return loss(rows.boxes, rows.objects, fit)
        return loss(rows.codes, self.coder.encode(rows.references, rows.objects), fit)


def grouped_fit(
    loss: ClsLoss | LocLoss, iou: Tensor, index: Tensor, anchors: Anchors, images: int, mask: Tensor | None = None
) -> Fit | None:
    """The `Fit` that a loss wants for rows that lie at `index` among the anchors of all images."""
    if loss.balanced_over is None:
        return None
    if loss.balanced_over == "image":
        return Fit(iou=iou, mask=mask, group=index // len(anchors), groups=images)
    if loss.balanced_over == "level":
        return Fit(iou=iou, mask=mask, group=anchors.level[index % len(anchors)], groups=len(anchors.counts))
    return Fit(iou=iou, mask=mask)


def hardest(values: Tensor, labels: Tensor, ratio: float) -> Tensor:
    """[B, A] bool: positives, and for each image the `ratio` times as many background anchors that lose most."""
    background = labels == BACKGROUND
    order = torch.where(background, values, -1).argsort(dim=1, descending=True)
    place = torch.empty_like(order).scatter_(
        1, order, torch.arange(order.shape[1], device=order.device).expand_as(order)
    )
    positive = labels >= 0
    return positive | (background & (place < ratio * positive.sum(dim=1, keepdim=True)))
