"""Plausible mistakes, put into the source of each op one at a time: the check of the op must notice every one."""

import importlib
import inspect
from types import ModuleType

import pytest
from ops_table import CHECKS

MISTAKES: dict[tuple[str, str], list[tuple[str, str]]] = {
    ("boxes", "area"): [
        ("(x2 - x1).clamp(min=0)", "(x2 - x1 + 1).clamp(min=0)"),
        ("(y2 - y1).clamp(min=0)", "(y2 - y1)"),
        ("(y2 - y1).clamp(min=0)", "(x2 - x1).clamp(min=0)"),
    ],
    ("boxes", "pairwise_iou"): [
        ("area(second).unsqueeze(-2) - intersection", "area(second).unsqueeze(-2)"),
        ("torch.minimum(x2, u2) - torch.maximum(x1, u1)", "torch.maximum(x2, u2) - torch.minimum(x1, u1)"),
        ("torch.maximum(x1, u1)).clamp_(min=0)", "torch.maximum(x1, u1))"),
    ],
    ("boxes", "pairwise_intersection_over_first"): [
        ("(first, second), area(first).unsqueeze(-1)", "(first, second), area(second).unsqueeze(-2)"),
        ("(first, second), area(first).unsqueeze(-1)", "(first, second), area(first).unsqueeze(-1) + 1"),
        ("_ratio(pairwise_intersection(first, second)", "_ratio(pairwise_iou(first, second)"),
    ],
    ("boxes", "aligned_iou"): [
        ("area(first) + area(second) - intersection)", "area(first) + area(second))"),
        ("area(first) + area(second) - intersection)", "torch.maximum(area(first), area(second)))"),
        ("- top_left).clamp(min=0).unbind", "- top_left).unbind"),
    ],
    ("boxes", "aligned_giou"): [
        ("_ratio(enclosing - union, enclosing)", "_ratio(enclosing - union, union)"),
        ("- _ratio(enclosing - union", "+ _ratio(enclosing - union"),
        ("torch.minimum(first[..., :2], second[..., :2])", "torch.maximum(first[..., :2], second[..., :2])"),
    ],
    ("boxes", "purity"): [
        ("_ratio(_intersection(boxes, gt), area(boxes))", "_ratio(_intersection(boxes, gt), area(gt))"),
        ("_ratio(_intersection(boxes, gt), area(boxes))", "aligned_iou(boxes, gt)"),
        ("torch.where(exists, part / whole.where(exists, 1), 0)", "part / whole"),
    ],
    ("boxes", "integrity"): [
        ("_ratio(_intersection(boxes, gt), area(gt))", "_ratio(_intersection(boxes, gt), area(boxes))"),
        ("_ratio(_intersection(boxes, gt), area(gt))", "aligned_iou(boxes, gt)"),
        ("return width * height", "return width"),
    ],
    ("boxes", "iou_from_purity_integrity"): [
        ("p + i - p * i)", "p + i)"),
        ("_ratio(p * i, p + i - p * i)", "(p * i) ** 0.5"),
        ("_ratio(p * i, p + i - p * i)", "1 / (1 / p + 1 / i)"),
    ],
    ("boxes", "iou_logit_from_purity_integrity_logits"): [
        ("-torch.logaddexp(-a, -b)", "torch.logaddexp(a, b)"),
        ("-torch.logaddexp(-a, -b)", "-(1 + torch.exp(-a) + torch.exp(-b)).log()"),
        ("-torch.logaddexp(-a, -b)", "iou_from_purity_integrity(a.sigmoid(), b.sigmoid()).logit()"),
    ],
    ("boxes", "clip"): [
        ("x1.clamp(max=width), y1", "x1.clamp(max=height), y1"),
        ("x2.clamp(max=width)", "x2.clamp(max=width - 1)"),
        ("side.clamp(min=0) for", "side for"),
    ],
    ("prroi_pool", "prroi_pool"): [
        (
            "integral = _hat_integral(edges[:, 1:, None] - sample) - _hat_integral(edges[:, :-1, None] - sample)",
            "a, b = edges[:, :-1, None], edges[:, 1:, None]\n"
            "    integral = (1 - ((a + b) / 2 - sample).abs()).clamp(min=0) * (b - a)",
        ),
        ("* spatial_scale\n", "* spatial_scale - 0.5\n"),
        ("* spatial_scale\n", "\n"),
        ("(sample < length)", "(sample <= length)"),
        ("(extent > 0)", "(extent >= 0)"),
        ("integral / extent.where(counts, 1)", "integral / integral.sum(2, keepdim=True).where(counts, 1)"),
        ("y = y + first_row[member, None, None]", "pass"),
        ("members.argsort()", "torch.arange(len(members))"),
        ("- 0.5 * t * t.abs()", "- 0.5 * t * t"),
    ],
    ("soft_nms", "soft_nms"): [
        ("iou > iou_threshold, 1 - iou", "iou >= iou_threshold, 1 - iou"),
        ("iou > iou_threshold, 1 - iou", "iou > iou_threshold, 0.0"),
        ("iou.square_().div_(-sigma)", "iou.div_(-sigma)"),
        ("div_(-sigma)", "div_(-2 * sigma**2)"),
        ("scores, dtype=torch.int64) if groups is None else groups", "scores, dtype=torch.int64)"),
        ("final[keep].argsort(", "scores[keep].argsort("),
        ("kept = all_values >=", "kept = all_values >"),
        ("(boxes[4] >= min_score)", "(boxes[4] > min_score)"),
        ("sub_(intersection)", "add_(0)"),
    ],
    ("iou_guided_nms", "iou_guided_nms"): [
        ("order_within(groups, loc_scores)", "order_within(groups, cls_scores)"),
        ("intersection > union", "intersection >= union"),
        ("left = _survivors(overlap[:, : len(ranked)])", "left = torch.ones_like(ranked, dtype=torch.bool)"),
        ("byte().argmax(0)]", "byte().flip(0).argmax(0).neg() - 1]"),
        ("overlap &= ordered_groups[ranked, None] == ordered_groups[meeting]", "pass"),
        ('cls_scores[order], "amax"', 'cls_scores[order], "sum"'),
        ("keep, clustered[keep]", "keep, cls_scores[keep]"),
        ("loc_scores[keep].argsort(", "clustered[keep].argsort("),
    ],
    ("score_vote", "score_vote"): [
        ("** 2) / sigma", "** 2) / sigma**2"),
        ("** 2) / sigma", ") / sigma"),
        ("(iou > min_iou)", "(iou >= min_iou)"),
        ("(iou > min_iou)", "(iou > 0)"),
        ("scores[column] * same", "1.0 * same"),
        ("scores[column] * same", "scores[column]"),
        ("[asking.argsort()]", ""),
        ("torch.where(total > 0, mean, kept)", "mean"),
    ],
    ("refine_boxes", "refine_boxes"): [
        ("gradient * _sides(current)", "gradient"),
        ("gradient * _sides(current)", "gradient * _sides(current) ** 2"),
        ("gradient * _sides(current)", "gradient * _sides(boxes)"),
        ("current + step", "current - step"),
        ("change >= -abs(max_drop)", "change >= 0"),
        ("change.abs() >= stop_delta", "change >= stop_delta"),
        ("if keep_worse else", "if not keep_worse else"),
        (".repeat(1, 2)", ".repeat_interleave(2, 1)"),
    ],
    ("jitter", "jitter_boxes_uniform_iou"): [
        ("(high - low) * draw", "(high - low) * draw**2"),
        ("far = 1 + 1 / iou.clamp(min=1e-6)", "far = torch.full_like(iou, 0.5)"),
        ("(y2 - y1) - intersection)", "(y2 - y1))"),
        ("direction = torch.randn(", "direction = torch.rand("),
        ("low + (high - low) * draw", "high * draw"),
        ("BISECTIONS = 44", "BISECTIONS = 4"),
    ],
    ("gaussian_mixture", "fit_two_gaussians"): [
        ("LEAST_VARIANCE = 1e-6", "LEAST_VARIANCE = 1e-3"),
        ("TOLERANCE = 1e-3", "TOLERANCE = 1e-2"),
        ("MAX_ROUNDS = 100", "MAX_ROUNDS = 8"),
        ("joint[:, 1] > joint[:, 0]", "joint[:, 1] >= joint[:, 0]"),
        ("torch.ones_like(mean)])", "torch.full_like(mean, 0.1)])"),
        ("count / count.sum(1, keepdim=True)", "torch.full_like(count, 0.5)"),
        ("(reached - bound).abs() >= TOLERANCE", "(reached - bound).abs() * count >= TOLERANCE"),
        ("(density * present).sum((1, 2)) / count", "density.mean((1, 2))"),
        ("where(present > 0, torch.inf)", "where(present > 9, 0.0)"),
    ],
    ("separate", "separate"): [
        ("positive = rank <= _mode", "positive = rank < _mode"),
        ("ignored = rank < _mode", "ignored = rank <= _mode"),
        (
            "where(valid, torch.inf).argsort(dim=1, stable=True)",
            "where(valid, -torch.inf).argsort(dim=1, descending=True)",
        ),
        ("otherwise=label.shape[1])", "otherwise=-1)"),
        ("density.where(member, -torch.inf).argmax", "density.where(member, torch.inf).argmin"),
        ("ignored = foreground", "ignored = background"),
        ("foreground | ~foreground.any(1, keepdim=True)", "foreground"),
        ("where(valid, 0)\n", "where(valid, -1)\n"),
    ],
    ("iou_balance", "iou_balanced_cls_weights"): [
        ("** eta", "* eta"),
        ("(raw * scale[groups])", "raw"),
        ("(raw * scale[groups])", "(raw * scale.mean())"),
        (".where(positive, 1)", ".where(positive, 0)"),
        ("before / after.where(after > 0, 1)", "before / (after + 1e-6)"),
        ("loss.dtype, torch.float32)).where(positive, 0)", "loss.dtype, torch.float32))"),
        ("loss.detach()", "loss"),
    ],
    ("iou_balance", "iou_balanced_loc_weights"): [
        ("clamp(min=0) ** lam", "clamp(min=0) * lam"),
        ("w_loc * iou", "iou"),
        ("w_loc * iou.detach()", "w_loc * iou"),
    ],
}


@pytest.mark.parametrize(
    ("file", "op", "right", "wrong"),
    [(*where, *change) for where, changes in MISTAKES.items() for change in changes],
)
def test_the_check_notices(file: str, op: str, right: str, wrong: str) -> None:
    mistaken = getattr(_with_mistake(file, right, wrong), op)
    with pytest.raises((AssertionError, RuntimeError, ValueError)):
        CHECKS[op](mistaken, 92)


def test_every_op_has_three_mistakes() -> None:
    assert {op for _, op in MISTAKES} == set(CHECKS)
    assert min(len(changes) for changes in MISTAKES.values()) >= 3


def _with_mistake(file: str, right: str, wrong: str) -> ModuleType:
    source = inspect.getsource(importlib.import_module(f"detectors.ops.{file}"))
    assert right in source, "the source has changed: bring this table up to date"
    module = ModuleType(file)
    exec(compile(source.replace(right, wrong, 1), file, "exec"), module.__dict__)
    return module
