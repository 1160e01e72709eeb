"""The class and box losses of sampled boxes: the same arithmetic for proposals and for every second stage."""

from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.distributed import mean_over_ranks
from detectors.ops.boxes import aligned_iou
from detectors.parts.coder import Coder
from detectors.parts.loss import ClsLoss, Fit, LocLoss
from detectors.parts.sample import Samples


@dataclass(frozen=True)
class Judged:
    """What the network said of S samples an image, and what it should have said."""

    samples: Samples
    references: Tensor
    """[B, S, 4] boxes that the codes are relative to"""
    objects: Tensor
    """[B, S, 4] boxes of the matched objects; anything where there is none"""
    logits: Tensor
    """[B, S, C]"""
    codes: Tensor
    """[B, S, 4]"""
    labels: Tensor
    """[B, S] int64: classes of positives; anything where there is none"""


def sampled_losses(judged: Judged, coder: Coder, cls_loss: ClsLoss, loc_loss: LocLoss) -> tuple[Tensor, Tensor]:
    """Both are sums over the samples divided by their number, background included, as in Fast R-CNN."""
    samples = judged.samples
    normaliser = mean_over_ranks(samples.valid.sum()).clamp(min=1)
    labels = torch.where(samples.positive, judged.labels, -1).flatten()
    logits = judged.logits.float().flatten(0, 1)
    cls = cls_loss(logits, labels, _fit(judged, coder, cls_loss)).view(len(labels), -1).sum(1)
    if loc_loss.on == "boxes":
        codes, wanted = coder.decode(judged.references, judged.codes), judged.objects
    else:
        codes, wanted = judged.codes.float(), coder.encode(judged.references, judged.objects)
    fit = _fit(judged, coder, loc_loss)
    box = loc_loss(codes.flatten(0, 1), wanted.flatten(0, 1), fit).view(len(labels), -1).sum(1)
    return (
        cls_loss.total(cls * samples.valid.flatten(), normaliser),
        loc_loss.total(box * samples.positive.flatten(), normaliser),
    )


@torch.no_grad()
def _fit(judged: Judged, coder: Coder, loss: ClsLoss | LocLoss) -> Fit | None:
    """For losses that weigh by IoU; sampled boxes have no level of their own, so those balance over the batch."""
    if loss.balanced_over is None:
        return None
    iou = aligned_iou(coder.decode(judged.references, judged.codes), judged.objects)
    positive = judged.samples.positive.flatten()
    iou = iou.flatten() * positive
    if loss.balanced_over != "image":
        return Fit(iou=iou, mask=positive)
    images, count = judged.samples.index.shape
    return Fit(
        iou=iou, mask=positive, group=torch.arange(images, device=iou.device).repeat_interleave(count), groups=images
    )
