"""What must hold for any detections, on data that hypothesis draws."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench.score.evaluate import evaluate
from bench.score.protocols.coco import NAMES
from bench.score.protocols.matching import match, match_voc
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from tests.score.simulate import random_detections, random_truth

seeds = st.integers(0, 10_000)
quick = settings(max_examples=25, deadline=None)
PROTOCOLS = ("coco", "voc2007", "voc2012")


def drawn(seed, **how):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng, images=6, objects=25)
    return rng, truth, random_detections(rng, truth, near=50, far=20, **how)


@quick
@given(seed=seeds, protocol=st.sampled_from(PROTOCOLS))
def test_a_perfect_detection_never_lowers_ap(seed, protocol):
    """Of an object that nobody had found: of another it would make the detection that had found it a duplicate."""
    rng, truth, found = drawn(seed)
    free = np.setdiff1d(np.flatnonzero(~truth.iscrowd & ~truth.difficult), match(truth, found).matched)
    free = np.setdiff1d(free, match_voc(truth, found).matched)
    assume(len(free))
    target, top = rng.choice(free), rng.random()
    more = Detections.joined(
        [Detections(truth.num_images, truth.image[[target]], truth.xywh[[target]], np.array([top]),
                    truth.labels[[target]], cls=np.ones(1), quality={"iou": np.ones(1)}), found],
        truth.num_images,
    )  # fmt: skip
    before, after = (evaluate(one, truth, protocol).metrics for one in (found, more))
    for name in ("AP", "AP50", "AP75", "AP90"):
        assert after[name] >= before[name] - 1e-12


@quick
@given(seed=seeds)
def test_the_order_of_images_changes_nothing(seed):
    """With the ids they have, even ties stay as they are."""
    rng, truth, found = drawn(seed)
    place = rng.permutation(truth.num_images)
    moved = np.argsort(place)
    order = np.argsort(moved[truth.image], kind="stable")
    shuffled = replace(truth, image_ids=truth.image_ids[place], sizes=truth.sizes[place], image=moved[truth.image])
    shuffled = picked(shuffled, order)
    same = replace(found, image=moved[found.image])
    for protocol in PROTOCOLS:
        assert_close(evaluate(found, truth, protocol).metrics, evaluate(same, shuffled, protocol).metrics)


@quick
@given(seed=seeds)
def test_new_ids_change_nothing_without_ties(seed):
    rng, truth, found = drawn(seed, ties=False)
    renamed = replace(truth, image_ids=rng.permutation(truth.num_images) + 100)
    assert_close(evaluate(found, truth).metrics, evaluate(found, renamed).metrics)


@quick
@given(seed=seeds)
def test_crowd_regions_are_never_misses(seed):
    """Without crowds nothing is found less; detections in them are no false alarms."""
    _, truth, found = drawn(seed)
    without = picked(truth, np.flatnonzero(~truth.iscrowd))
    nothing = found.select(np.zeros(len(found), bool))
    assert evaluate(nothing, truth).metrics["AR100"] == evaluate(nothing, without).metrics["AR100"]
    with_, alone = evaluate(found, truth), evaluate(found, without)
    assert with_.metrics["AR100"] == pytest.approx(alone.metrics["AR100"], abs=1e-12)
    assert with_.metrics["AP"] >= alone.metrics["AP"] - 1e-12


@quick
@given(seed=seeds, protocol=st.sampled_from(PROTOCOLS))
def test_ap_of_some_classes_is_the_mean_of_theirs(seed, protocol):
    _, truth, found = drawn(seed)
    everything = evaluate(found, truth, protocol)
    few = truth.only_classes([2, 0])
    new = np.array([1, -1, 0])
    kept = found.select(new[found.labels] >= 0)
    some = evaluate(replace(kept, labels=new[kept.labels]), few, protocol)
    values = [everything.per_class[name]["AP"] for name in few.class_names]
    present = [value for value in values if value >= 0]
    assert some.metrics["AP"] == pytest.approx(np.mean(present) if present else -1, abs=1e-12)


@quick
@given(seed=seeds, factor=st.floats(0.1, 0.9))
def test_only_the_order_of_scores_matters(seed, factor):
    _, truth, found = drawn(seed)
    squeezed = replace(found, scores=found.scores**2 * factor)
    before, after = evaluate(found, truth).metrics, evaluate(squeezed, truth).metrics
    for name in NAMES:
        assert after[name] == pytest.approx(before[name], abs=1e-12)


def picked(truth: GroundTruth, index: np.ndarray) -> GroundTruth:
    columns = ("image", "xywh", "labels", "area", "iscrowd", "difficult")
    values = {f.name: getattr(truth, f.name) for f in fields(truth)}
    return GroundTruth(**{name: v[index] if name in columns else v for name, v in values.items()})


def assert_close(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert a[name] == pytest.approx(b[name], abs=1e-12, nan_ok=True), name
