"""The functional API: each op is an equation or an algorithm of a paper, batched, and leaves its arguments alone."""

from detectors.ops.boxes import (
    aligned_giou,
    aligned_iou,
    area,
    clip,
    integrity,
    iou_from_purity_integrity,
    iou_logit_from_purity_integrity_logits,
    pairwise_intersection_over_first,
    pairwise_iou,
    purity,
)

__all__ = [
    "aligned_giou",
    "aligned_iou",
    "area",
    "clip",
    "integrity",
    "iou_from_purity_integrity",
    "iou_logit_from_purity_integrity_logits",
    "pairwise_intersection_over_first",
    "pairwise_iou",
    "purity",
]
