"""Plausible mistakes, put into the source of each quality part one at a time: its tests must notice every one."""

from collections import deque
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import test_quality_dir
import test_quality_iou
import test_quality_iou_aware
import test_quality_iou_net
import test_quality_judge
from mistaken import wrong

from detectors.parts.quality import dir as decoupled
from detectors.parts.quality import iou_aware, iou_net

QUALITY = "detectors.parts.quality."

Checks = tuple[list[tuple[ModuleType, str]], list[Callable[[], Any]]]
"""Who knows the part by which of its names, and the tests that must notice."""

CHECKS: dict[str, Checks] = {
    "iou": (
        [(test_quality_iou, "iou")],
        [
            test_quality_iou.test_loss_is_the_mean_over_positives,
            lambda: test_quality_iou.test_predicts_for_the_box_of_each_candidate(5),
        ],
    ),
    "iou_aware": (
        [(test_quality_iou_aware, "Config")],
        [
            lambda: test_quality_iou_aware.test_prediction(True, "own"),
            lambda: test_quality_iou_aware.test_prediction(True, "best"),
            lambda: test_quality_iou_aware.test_losses_equal_the_slow_ones(False, "samples"),
            lambda: test_quality_iou_aware.test_losses_equal_the_slow_ones(False, "positives"),
        ],
    ),
    "dir": (
        [(test_quality_dir, "Config")],
        [
            lambda: test_quality_dir.test_prediction("box", "best"),
            test_quality_dir.test_a_higher_learning_rate_is_that_of_its_own_layers_only,
            lambda: test_quality_dir.test_losses_equal_the_slow_ones("box"),
            lambda: test_quality_dir.test_losses_equal_the_slow_ones("proposal"),
        ],
    ),
    "iou_net": (
        [(test_quality_iou_net, "Config")],
        [
            test_quality_iou_net.test_examples_are_even_in_iou_and_shared_among_objects,
            test_quality_iou_net.test_examples_stay_in_the_image_and_crowds_have_none,
            test_quality_iou_net.test_reassigned_examples_answer_for_the_object_they_fit_best,
            lambda: test_quality_iou_net.test_loss("l1", True),
            lambda: test_quality_iou_net.test_prediction("own", "bce"),
            lambda: test_quality_iou_net.test_refinement_follows_suppression_and_only_moves_what_it_kept("iou"),
        ],
    ),
    "judge": (
        [(user, name) for user in (decoupled, iou_aware, iou_net) for name in ("Judge", "judged_boxes")]
        + [(decoupled, "confident"), (test_quality_judge, "Judge")],
        [
            lambda: test_quality_judge.test_each_class_has_its_own_output_and_each_candidate_its_own_row(False),
            lambda: test_quality_iou_aware.test_prediction(False, "best"),
            lambda: test_quality_iou_net.test_prediction("own", "bce"),
            lambda: test_quality_dir.test_prediction("proposal", "best"),
        ],
    ),
}

MISTAKES: dict[str, list[tuple[str, str]]] = {
    "iou": [
        ("boxes = context.regressed.gather", "boxes = context.boxes.gather"),
        (" * positives.valid.flatten()", ""),
        ("mean_over_ranks(positives.valid.sum()).clamp(min=1)", "positives.valid.numel()"),
        ("self.config.weight * loss", "loss"),
        ("context.image.gather(1, slots)", "(context.image * 0).gather(1, slots)"),
        (".sigmoid())", ".clamp(0, 1))"),
    ],
    "iou_aware": [
        ("self.config.high_weight * self._loss", "self._loss"),
        ("image, labels.flatten()).view_as", "image, labels.flatten() * 0).view_as"),
        ("torch.where(assignment.positive.flatten(), error, 0)", "torch.where(valid.flatten(), error, 0)"),
        ("assignment.iou.flatten()).abs()", "assignment.iou.flatten()).square()"),
        ("self.config.count * mean_images(len(boxes))", "self.config.count"),
        ("mean_over_ranks(assignment.positive.sum())", "mean_over_ranks(valid.sum())"),
        ("iou.clamp(0, 1)", "iou"),
        ("draw.masked_fill(~assignment.positive, -1)", "draw"),
        ("judged_boxes(context, self.config.judged)", 'judged_boxes(context, "proposal")'),
    ],
    "dir": [
        ('"purity": purity, "integrity": integrity', '"purity": integrity, "integrity": purity'),
        ("boxes = context.regressed.gather", "boxes = context.boxes.gather"),
        ("torch.where(valid, bce", "torch.where(valid | True, bce"),
        ("mean_over_ranks(valid.sum())", "mean_over_ranks(valid.sum() * 0 + valid.numel())"),
        ('context.pool(boxes, image) if self.config.infer_on == "box"', "context.pooled if True"),
        ("(p * i).sqrt()", "p * i"),
        ("pooled.detach() * (1 - share)", "0"),
        ('if self.config.train_on == "box":', "if True:"),
        ("_logits(logits[", "_logits(-logits["),
    ],
    "iou_net": [
        ("(iou.flatten() - self.config.low) / (1 - self.config.low)", "iou.flatten()"),
        ("self.config.weight * error", "error"),
        ("clip(self._jitter(objects), context.sizes[:, None])", "self._jitter(objects)"),
        ("self.config.low + (1 - self.config.low) * draw[..., 0]", "draw[..., 0]"),
        ("self.config.low + (1 - self.config.low) * share", "share"),
        ('output.sigmoid() if self.config.loss == "bce" else output', "output"),
        ("assignment.iou, assignment.positive", "aligned_iou(boxes, objects), assignment.positive"),
        ("objects = targets.objects\n", "objects = targets.valid\n"),
        ("_iou(self.judge(exact(boxes.float(), image), labels))", "_iou(self.judge(exact(raw.boxes, image), labels))"),
    ],
    "judge": [
        ("0 if self.class_agnostic else labels", "0"),
        ("if row is None else row", "if row is not None else row"),
        ('if judged == "own":', 'if judged != "own":'),
        ('context.best if judged == "best"', 'context.boxes if judged == "best"'),
        ("raw=context.raw.select(kept)", "raw=context.raw"),
        ("context.raw.scores > min_cls", "context.raw.scores < min_cls"),
        ("proposal=proposal", "proposal=proposal.flip(0)"),
    ],
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("part", "right", "mistake"), [(part, *pair) for part, pairs in MISTAKES.items() for pair in pairs]
)
def test_the_mistake_is_noticed(part: str, right: str, mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    users, checks = CHECKS[part]
    module = wrong(QUALITY + part, right, mistake)
    for user, name in users:
        monkeypatch.setattr(user, name, getattr(module, name, module))
    with pytest.raises((AssertionError, RuntimeError, IndexError, TypeError)):
        deque((check() for check in checks), maxlen=0)


def test_every_part_has_three_mistakes_and_passes_without() -> None:
    assert MISTAKES.keys() == CHECKS.keys()
    assert all(len(pairs) >= 3 for pairs in MISTAKES.values())
    for _, checks in CHECKS.values():
        deque((check() for check in checks), maxlen=0)
