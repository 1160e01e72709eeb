"""Plain loops, box by box, as method descriptions and most published code have them: peers that are easy to trust."""

import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_iou


def soft_nms(boxes: Tensor, scores: Tensor, sigma: float, min_score: float) -> tuple[Tensor, Tensor]:
    """Gaussian Soft-NMS: choose the best, lower its neighbours, repeat."""
    left, scores = torch.arange(len(scores), device=scores.device), scores.clone()
    keep, final = [], []
    while len(left):
        best = left[scores[left].argmax()]
        if scores[best] < min_score:
            break
        keep.append(best)
        final.append(scores[best].clone())
        left = left[left != best]
        scores[left] *= torch.exp(-box_iou(boxes[best, None], boxes[left])[0].square() / sigma)
    return torch.stack(keep), torch.stack(final)


def soft_nms_by_class(boxes: Tensor, scores: Tensor, labels: Tensor, sigma: float, min_score: float) -> Tensor:
    """The final scores of all classes, falling."""
    members = [(labels == label) & (scores >= min_score) for label in labels.unique()]
    final = [soft_nms(boxes[own], scores[own], sigma, min_score)[1] for own in members if own.any()]
    return torch.cat(final).sort(descending=True).values


def iou_guided_nms(
    boxes: Tensor, cls_scores: Tensor, loc_scores: Tensor, iou_threshold: float
) -> tuple[Tensor, Tensor]:
    """Algorithm 1 of IoU-Net."""
    left = loc_scores.argsort(descending=True, stable=True)
    keep, scores = [], []
    while len(left):
        best = left[0]
        near = box_iou(boxes[best, None], boxes[left])[0] > iou_threshold
        near[0] = True
        keep.append(best)
        scores.append(cls_scores[left[near]].max())
        left = left[~near]
    return torch.stack(keep), torch.stack(scores)


def score_vote(kept: Tensor, boxes: Tensor, scores: Tensor, sigma: float, min_iou: float = 0.01) -> Tensor:
    """Equations 9 and 10 of PAA, one kept box after the other."""
    voted = []
    for index in kept:
        iou = box_iou(boxes[index, None], boxes)[0]
        near = iou > min_iou
        weight = scores[near] * torch.exp(-(1 - iou[near]).square() / sigma)
        voted.append((weight[:, None] * boxes[near]).sum(0) / weight.sum())
    return torch.stack(voted)


def postprocess(
    boxes: list[Tensor], scores: list[Tensor], labels: list[Tensor], threshold: float, iou: float, most: int
) -> list[dict[str, Tensor]]:
    """What torchvision's detectors do with candidates, image by image."""
    found = []
    for box, score, label in zip(boxes, scores, labels, strict=True):
        chosen = torch.where(score > threshold)[0]
        box, score, label = box[chosen], score[chosen], label[chosen]
        keep = batched_nms(box, score, label, iou)[:most]
        found.append({"boxes": box[keep], "scores": score[keep], "labels": label[keep]})
    return found
