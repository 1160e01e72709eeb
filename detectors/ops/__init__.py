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
from detectors.ops.gaussian_mixture import fit_two_gaussians
from detectors.ops.iou_balance import iou_balanced_cls_weights, iou_balanced_loc_weights
from detectors.ops.iou_guided_nms import iou_guided_nms
from detectors.ops.jitter import jitter_boxes_uniform_iou
from detectors.ops.prroi_pool import prroi_pool
from detectors.ops.refine_boxes import refine_boxes
from detectors.ops.score_vote import score_vote
from detectors.ops.separate import separate
from detectors.ops.soft_nms import soft_nms

__all__ = [
    "aligned_giou",
    "aligned_iou",
    "area",
    "clip",
    "fit_two_gaussians",
    "integrity",
    "iou_balanced_cls_weights",
    "iou_balanced_loc_weights",
    "iou_from_purity_integrity",
    "iou_guided_nms",
    "iou_logit_from_purity_integrity_logits",
    "jitter_boxes_uniform_iou",
    "pairwise_intersection_over_first",
    "pairwise_iou",
    "prroi_pool",
    "purity",
    "refine_boxes",
    "score_vote",
    "separate",
    "soft_nms",
]
