"""Which check belongs to which op: each takes the op and a number of cases, and fails if they differ."""

from collections.abc import Callable

import ops_checks
import ops_training_checks
import slow_ops

CHECKS: dict[str, Callable[[ops_checks.Op, int], None]] = {
    "aligned_giou": lambda op, cases: ops_checks.check_aligned(op, slow_ops.giou, cases),
    "aligned_iou": lambda op, cases: ops_checks.check_aligned(op, slow_ops.iou, cases),
    "area": lambda op, cases: ops_checks.check_aligned(lambda a, b: op(a), lambda a, b: slow_ops.area(a), cases),
    "clip": ops_checks.check_clip,
    "fit_two_gaussians": ops_training_checks.check_mixture,
    "integrity": lambda op, cases: ops_checks.check_aligned(op, ops_checks.integrity, cases),
    "iou_balanced_cls_weights": ops_training_checks.check_cls_weights,
    "iou_balanced_loc_weights": ops_training_checks.check_loc_weights,
    "iou_from_purity_integrity": ops_checks.check_combined_iou,
    "iou_guided_nms": ops_checks.check_iou_guided_nms,
    "iou_logit_from_purity_integrity_logits": ops_checks.check_combined_logit,
    "jitter_boxes_uniform_iou": ops_training_checks.check_jitter,
    "pairwise_intersection_over_first": lambda op, cases: ops_checks.check_pairwise(op, ops_checks.purity, cases),
    "pairwise_iou": lambda op, cases: ops_checks.check_pairwise(op, slow_ops.iou, cases),
    "prroi_pool": ops_checks.check_prroi_pool,
    "purity": lambda op, cases: ops_checks.check_aligned(op, ops_checks.purity, cases),
    "refine_boxes": ops_checks.check_refine_boxes,
    "score_vote": ops_checks.check_score_vote,
    "separate": ops_training_checks.check_separate,
    "soft_nms": ops_checks.check_soft_nms,
}
