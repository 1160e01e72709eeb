"""What suppression chooses among: every object's best candidate, against a loop over all of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.score.evaluate import evaluate
from bench.score.measures.candidates import Candidates, unsuppressed
from bench.score.measures.iou_bins import object_iou
from bench.score.protocols.protocol import Protocol
from bench.score.tables.detections import Detections
from detectors.parts.post import PostConfig, standard
from detectors.parts.rank import product
from detectors.parts.suppress import hard
from detectors.parts.vote import score
from tests.score.simulate import random_raw, random_truth

CLASSES, IMAGES = 3, 10
POST = standard.Config(rank=product.Config(), suppress=hard.Config(iou_threshold=0.3), vote=score.Config())


@pytest.fixture(scope="module")
def raw():
    return random_raw(0, images=IMAGES, classes=CLASSES)


@pytest.fixture(scope="module")
def truth(raw):
    """Objects near some of the candidates, some of them crowds."""
    rng = np.random.default_rng(0)
    found = random_truth(rng, images=IMAGES, classes=CLASSES)
    boxes = raw.boxes[[rng.choice(np.flatnonzero(raw.image == image)) for image in found.image]].double().numpy()
    sides = boxes[:, 2:] - boxes[:, :2]
    return replace(found, xywh=np.concatenate([boxes[:, :2] + rng.normal(0, 4, sides.shape), sides], axis=1))


def seen(truth, raw, size=IMAGES):
    candidates = Candidates(POST, truth)
    for start in range(0, IMAGES, size):
        inside = (raw.image >= start) & (raw.image < start + size)
        part = replace(raw.select(inside), num_images=size)
        candidates.see(replace(part, image=part.image - start), list(range(start, start + size)))
    return candidates


def iou(a, b):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = np.prod(np.maximum(sides, 0))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


def slow(truth, raw):
    best = np.where(truth.iscrowd, np.nan, 0.0)
    for box, cls, label, image in zip(raw.boxes.double().numpy(), raw.scores, raw.labels, raw.image, strict=True):
        objects = np.flatnonzero((truth.image == int(image)) & (truth.labels == int(label)) & ~truth.iscrowd)
        if cls > POST.score_threshold and len(objects):
            overlaps = [iou(box, truth.boxes[g]) for g in objects]
            own = objects[int(np.argmax(overlaps))]
            best[own] = max(best[own], max(overlaps))
    return best


@pytest.mark.parametrize("size", [IMAGES, 5, 1])
def test_every_objects_best_candidate_however_the_images_are_cut(truth, raw, size):
    scores = evaluate(Detections.from_boxes(IMAGES, [], [], [], []), truth)
    expected = slow(truth, raw)
    assert (expected > 0.5).sum() > 5
    np.testing.assert_allclose(seen(truth, raw, size).reached(scores), expected, atol=1e-6)


def test_no_suppression_reaches_more(truth, raw):
    kept = replace(POST, vote=None).build()(raw)
    scores = evaluate(Detections.from_output(kept), truth)
    before, after = seen(truth, raw).reached(scores), object_iou(truth, scores.detections)
    real = ~truth.iscrowd
    assert (after[real] <= before[real]).all()
    assert (after[real] < before[real]).any()


def test_objects_of_classes_that_are_not_judged_are_left_out(truth, raw):
    some = Protocol(classes=truth.class_names[1:])
    scores = evaluate(Detections.from_boxes(IMAGES, [], [], [], []), truth, some)
    expected = slow(truth, raw)[truth.labels > 0]
    np.testing.assert_allclose(seen(truth, raw).reached(scores), expected, atol=1e-6)


def test_of_a_post_of_another_kind_nothing_is_known(truth, raw):
    other = PostConfig()
    assert unsuppressed(other) is None
    candidates = Candidates(other, truth)
    candidates.see(raw, list(range(IMAGES)))
    assert candidates.reached(evaluate(Detections.from_boxes(IMAGES, [], [], [], []), truth)) is None


def test_more_candidates_than_detections_are_kept(truth):
    raw = random_raw(1, images=IMAGES, classes=CLASSES)
    whole = unsuppressed(replace(POST, max_detections=1))
    assert whole is not None
    assert sum(len(one["scores"]) for one in whole.build()(raw)) == int((raw.scores > POST.score_threshold).sum())
    assert torch.is_tensor(whole.build()(raw)[0]["boxes"])
