"""Intervals: equal to scoring resampled data anew, repeatable, and right as often as they say."""

from dataclasses import replace

import numpy as np
import pytest

from bench.errors import UserError
from bench.score.evaluate import evaluate
from bench.score.resampling.bootstrap import Samples, _draw, resample, strata_by_rarest_class
from bench.score.resampling.compare import compare
from bench.score.resampling.statistics import Statistics
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from tests.score.simulate import random_detections, random_truth


def case(seed, **how):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng, **how)
    return truth, random_detections(rng, truth, ties=False)


def repeated(truth, found, weights):
    """The data with every image there so many times, for scoring anew; copies follow each other."""
    order = np.argsort(truth.image_ids)
    copies = np.repeat(order, weights[order])
    objects = [np.flatnonzero(truth.image == image) for image in copies]
    boxes = [np.flatnonzero(found.image == image) for image in copies]
    g, d = (np.concatenate([np.zeros(0, np.int64), *parts]) for parts in (objects, boxes))
    new_truth = replace(
        truth,
        image_ids=np.arange(len(copies)),
        sizes=truth.sizes[copies],
        image=np.repeat(np.arange(len(copies)), list(map(len, objects))),
        **{name: getattr(truth, name)[g] for name in ("xywh", "labels", "area", "iscrowd", "difficult")},
    )
    picked = found.select(d)
    return new_truth, replace(
        picked, num_images=len(copies), image=np.repeat(np.arange(len(copies)), list(map(len, boxes)))
    )


@pytest.mark.parametrize("protocol", ["coco", "voc2007", "voc2012+1"])
@pytest.mark.parametrize("seed", range(3))
def test_a_resample_is_what_scoring_its_images_gives(seed, protocol):
    truth, found = case(seed)
    statistics = Statistics(evaluate(found, truth, protocol))
    names = statistics.names()
    rng = np.random.default_rng(seed)
    for weights in (np.ones(truth.num_images, np.int64), _draw(rng, truth.num_images, None)):
        anew = evaluate(*reversed(repeated(truth, found, weights)), protocol)
        ours = statistics.values(weights, names)
        again = Statistics(anew).values(np.ones(anew.truth.num_images, np.int64), names)
        for name in names:
            expected = anew.metrics.get(name, again[name])
            expected = np.nan if expected == -1 else expected
            assert ours[name] == pytest.approx(expected, abs=1e-12, nan_ok=True), name


def test_identity_is_the_engines_number_on_official_results(shared_data):
    from bench.score.evaluate import evaluate_file

    folder = shared_data / "coco_parity"
    scores = evaluate_file(
        folder / "instances_val2014_fakebbox100_results.json", folder / "instances_val2014_100.json", engine="reference"
    )
    statistics = Statistics(scores)
    values = statistics.values(np.ones(scores.truth.num_images, np.int64), statistics.names())
    for name, value in values.items():
        if name in scores.metrics:
            assert value == pytest.approx(scores.metrics[name], abs=1e-12), name


def test_same_seed_same_interval_whatever_the_threads():
    truth, found = case(0)
    scores = evaluate(found, truth)
    intervals = [
        resample({"a": [scores]}, ["AP"], resamples=60, seed=seed, threads=threads).of("a", "AP").interval()
        for seed, threads in ((3, 1), (3, 3), (4, 1))
    ]
    assert intervals[0] == intervals[1]
    assert intervals[0] != intervals[2]


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_comparison_sees_a_small_but_steady_gain(method):
    """Paired over images: far smaller than either row's own interval."""
    truth, found = case(1, images=40, objects=200)
    best = np.where(np.arange(len(found)) % 7 == 0, found.scores + 1, found.scores)
    worse = replace(found, scores=np.where(best > 1, 0.001, found.scores))
    a, b = evaluate(worse, truth), evaluate(found, truth)
    first, second = compare(a, b, ["AP", "AP50"], resamples=200, method=method)
    assert first.metric == "AP"
    assert first.difference.value == pytest.approx(b.metrics["AP"] - a.metrics["AP"], abs=1e-12)
    assert first.difference.high - first.difference.low < first.b.high - first.b.low
    assert first.difference.method == method
    assert "p = " in second.line()
    same = compare(a, a, ["AP"], resamples=50)[0]
    assert (same.difference.low, same.difference.high, same.difference.p) == (0, 0, 1)
    assert same.verdict == "undecided"


def test_several_seeds_widen_the_interval():
    truth, found = case(2)
    other = replace(found, scores=found.scores[::-1].copy())
    one, two = evaluate(found, truth), evaluate(other, truth)
    drawn = resample({"one": [one], "both": [one, two]}, ["AP"], resamples=300)
    assert drawn.of("both", "AP").value == pytest.approx((one.metrics["AP"] + two.metrics["AP"]) / 2)
    assert drawn.of("both", "AP").resampled.std() > 0


def test_strata_keep_the_number_of_images_of_each():
    truth, _ = case(3)
    strata = strata_by_rarest_class(truth)
    rng = np.random.default_rng(0)
    for _ in range(5):
        weights = _draw(rng, truth.num_images, strata)
        for stratum in np.unique(strata):
            assert weights[strata == stratum].sum() == (strata == stratum).sum()


def test_bca_of_a_skewed_statistic_moves_towards_the_tail():
    rng = np.random.default_rng(0)
    data = rng.exponential(1, 60)
    draws = np.array([rng.choice(data, 60).mean() for _ in range(2000)])
    left_out = np.array([np.delete(data, i).mean() for i in range(60)])
    samples = Samples(data.mean(), draws, left_out)
    plain, corrected = samples.interval(), samples.interval(method="bca")
    assert corrected.high > plain.high
    assert corrected.low > plain.low


def test_other_images_and_unknown_metrics_are_refused():
    truth, found = case(0)
    scores = evaluate(found, truth)
    less, fewer = case(0, images=8)
    with pytest.raises(UserError, match=r"different images \(8, 12\)"):
        resample({"a": [scores], "b": [evaluate(fewer, less)]})
    with pytest.raises(UserError, match="no metric 'AP55'"):
        resample({"a": [scores]}, ["AP55"])


def test_coverage():
    """The truth is known when detections come from a known process: its AP over very many images.

    200 data sets of 100 images; the 95 % interval should cover the truth in 90-98 % of them.
    """
    rng = np.random.default_rng(123)
    truth_value = evaluate(*process(rng, 30_000)).metrics["AP50"]
    covered = 0
    for _ in range(200):
        scores = evaluate(*process(rng, 100))
        drawn = resample({"a": [scores]}, ["AP50"], resamples=200, threads=1, jackknife=False)
        interval = drawn.of("a", "AP50").interval()
        covered += interval.low <= truth_value <= interval.high
    assert 0.90 <= covered / 200 <= 0.98, covered


def process(rng, images):
    """Two objects an image, each found or not, moved by chance, with some false alarms; images differ in difficulty."""
    objects = 2 * images
    corner = np.concatenate([rng.uniform(0, 80, (images, 2)), rng.uniform(150, 200, (images, 2))])
    xywh = np.concatenate([corner, rng.uniform(20, 50, (objects, 2))], axis=1)
    image = np.tile(np.arange(images), 2)
    truth = GroundTruth(
        image_ids=np.arange(images),
        sizes=np.full((images, 2), 300),
        image=image,
        xywh=xywh,
        labels=np.zeros(objects, np.int64),
        area=xywh[:, 2] * xywh[:, 3],
        iscrowd=np.zeros(objects, bool),
        difficult=np.zeros(objects, bool),
        class_names=("thing",),
        class_ids=(1,),
    )
    ease = rng.beta(4, 2, images)[image]
    found = rng.random(objects) < ease
    moved = truth.boxes[found] + rng.normal(0, 4, (found.sum(), 4)) / ease[found, None]
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    false = rng.integers(0, images, images)
    away = rng.uniform(0, 250, (images, 2))
    boxes = np.concatenate([moved, np.concatenate([away, away + rng.uniform(20, 50, (images, 2))], axis=1)])
    scores = np.concatenate([rng.beta(4, 2, found.sum()), rng.beta(2, 4, images)])
    where = np.concatenate([image[found], false])
    return Detections.from_boxes(images, where, boxes, scores, np.zeros(len(boxes), np.int64)), truth
