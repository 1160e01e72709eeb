"""COCO's protocol: the official numbers, and both engines and our own matches against each other."""

import contextlib
import io
import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bench.score.evaluate import evaluate, evaluate_file
from bench.score.protocols.coco import NAMES
from bench.score.protocols.engines import detection_side, truth_side
from bench.score.protocols.matching import match
from bench.score.protocols.protocol import AREAS
from bench.score.protocols.reference_engine import as_coco
from bench.score.resampling.weighted_ap import WeightedAP, mean_present
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from tests.score.simulate import random_detections, random_truth

OFFICIAL = {
    "coco": {
        "AP": 0.504581,
        "AP50": 0.696973,
        "AP75": 0.572982,
        "APs": 0.585626,
        "APm": 0.519400,
        "APl": 0.501398,
        "AR1": 0.386813,
        "AR10": 0.593680,
        "AR100": 0.595353,
    },
    "coco-mask": {"AP": 0.319545},
}


@pytest.fixture(scope="module")
def parity(shared_data):
    return shared_data / "coco_parity"


@pytest.mark.parametrize("engine", ["faster", "reference"])
@pytest.mark.parametrize(("protocol", "kind"), [("coco", "bbox"), ("coco-mask", "segm")])
def test_official_numbers(parity, protocol, kind, engine):
    results = parity / f"instances_val2014_fake{kind}100_results.json"
    scores = evaluate_file(results, parity / "instances_val2014_100.json", protocol, engine=engine)
    for name, value in OFFICIAL[protocol].items():
        assert round(scores.metrics[name], 6) == value, name


@pytest.mark.parametrize(("protocol", "kind"), [("coco", "bbox"), ("coco-mask", "segm")])
def test_engines_agree_on_official_results(parity, protocol, kind):
    data = parity / "instances_val2014_100.json"
    results = parity / f"instances_val2014_fake{kind}100_results.json"
    fast, reference = (evaluate_file(results, data, protocol, engine=engine) for engine in ("faster", "reference"))
    assert (fast.engine, reference.engine) == ("faster-coco-eval", "pycocotools")
    assert_same(fast, reference)


@pytest.mark.parametrize("seed", range(8))
def test_engines_agree_on_every_number(seed):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng)
    found = random_detections(rng, truth)
    assert_same(evaluate(found, truth, engine="faster"), evaluate(found, truth, engine="reference"))


@pytest.mark.parametrize("engine", ["faster", "reference"])
def test_recall_at_an_iou_is_that_of_pycocotools(parity, engine):
    """Read off the arrays that pycocotools leaves when it is used in its own way."""
    data, results = parity / "instances_val2014_100.json", parity / "instances_val2014_fakebbox100_results.json"
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(data))
        reference = COCOeval(truth, truth.loadRes(str(results)), "bbox")
        reference.evaluate()
        reference.accumulate()
    recall = reference.eval["recall"][:, :, 0, 2]
    metrics = evaluate_file(results, data, engine=engine).metrics
    for percent in (50, 60, 70, 75, 80, 90):
        row = recall[(percent - 50) // 5]
        assert metrics[f"recall{percent}"] == pytest.approx(row[row > -1].mean(), abs=1e-12)
    assert 1 > metrics["recall50"] > metrics["recall75"] > metrics["recall90"] > 0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("area", AREAS)
def test_own_matches_give_the_engines_numbers(seed, area):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng)
    scores = evaluate(random_detections(rng, truth), truth, engine="reference")
    judge = WeightedAP(match(truth, scores.detections, area=area))
    everyone = np.ones(truth.num_images, np.int64)
    column = list(AREAS).index(area)
    precision, recall = scores.accumulated.precision, scores.accumulated.recall
    assert np.allclose(judge.ap(everyone), precision[..., column, 2].mean(1), rtol=0, atol=1e-12)
    assert np.allclose(judge.recall(everyone), recall[..., column, 2], rtol=0, atol=1e-12)
    assert np.allclose(judge.recall(everyone, 1), recall[..., column, 0], rtol=0, atol=1e-12)
    assert mean_present(judge.ap(everyone)[0]) == pytest.approx(mean_present(precision[0, ..., column, 2]), abs=1e-12)


def test_matches_are_the_references(parity):
    """Detection for detection, not just in the numbers that follow."""

    truth = random_truth(np.random.default_rng(5), objects=120)
    found = random_detections(np.random.default_rng(6), truth, near=400)
    images = [{"id": i} for i in sorted(truth.image_ids.tolist())]
    sides = truth_side(truth, False), detection_side(truth, found, False)
    classes = [{"id": k} for k in range(truth.num_classes)]
    reference = COCOeval(*(as_coco(side, images, classes) for side in sides), "bbox")
    reference.evaluate()
    ours = match(truth, found)
    expected = {}
    for cell in reference.evalImgs:
        if cell is not None and cell["aRng"] == [0, 1e10]:
            for column, number in enumerate(cell["dtIds"]):
                expected[number - 1] = (cell["dtMatches"][:, column] - 1, cell["dtIgnore"][:, column])
    assert len(expected) == len(ours.detection)
    for column, number in enumerate(ours.detection):
        assert (ours.matched[:, column] == expected[number][0]).all()
        assert (ours.ignored[:, column] == expected[number][1]).all()


def test_nothing_to_measure_is_minus_one():
    truth = random_truth(np.random.default_rng(0), objects=0)
    scores = evaluate(random_detections(np.random.default_rng(1), truth, near=0), truth)
    assert [scores.metrics[name] for name in NAMES] == [-1.0] * len(NAMES)


def test_no_detections_score_zero():
    truth = random_truth(np.random.default_rng(0))
    nothing = Detections.from_boxes(truth.num_images, [], [], [], [])
    for engine in ("faster", "reference"):
        metrics = evaluate(nothing, truth, engine=engine).metrics
        assert {metrics[name] for name in NAMES} == {0.0}


def test_class_without_objects_is_left_out_of_the_mean():
    truth = random_truth(np.random.default_rng(3), classes=2)
    found = random_detections(np.random.default_rng(4), truth)
    more = GroundTruth(**{**vars_of(truth), "class_names": ("a", "b", "c"), "class_ids": (1, 2, 9)})
    few, many = evaluate(found, truth), evaluate(found, more)
    assert many.metrics["AP"] == few.metrics["AP"]
    assert many.per_class["c"]["AP"] == -1


def test_ap_is_the_mean_over_classes():
    truth = random_truth(np.random.default_rng(3), classes=4)
    scores = evaluate(random_detections(np.random.default_rng(4), truth), truth)
    for name in ("AP", "AP50", "AP90", "AR100"):
        values = [numbers[name] for numbers in scores.per_class.values() if numbers[name] >= 0]
        assert scores.metrics[name] == pytest.approx(np.mean(values), abs=1e-12)


def test_cityscapes_judges_its_classes_only(parity):
    content = json.loads((parity / "instances_val2014_100.json").read_text())
    content["categories"].append({"id": 500, "name": "rider"})
    truth = GroundTruth.from_coco(content)
    found = random_detections(np.random.default_rng(0), truth)
    scores, everything = evaluate(found, truth, "cityscapes"), evaluate(found, truth)
    assert list(scores.per_class) == ["person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"]
    present = [n for n in scores.per_class if everything.per_class[n]["AP"] >= 0]
    mean = np.mean([everything.per_class[name]["AP"] for name in present])
    assert scores.protocol == "cityscapes"
    assert scores.metrics["AP"] == pytest.approx(mean, abs=1e-12)


def vars_of(truth):
    from dataclasses import fields

    return {f.name: getattr(truth, f.name) for f in fields(truth)}


def assert_same(a, b):
    assert a.metrics.keys() == b.metrics.keys()
    for name in NAMES:
        assert a.metrics[name] == pytest.approx(b.metrics[name], abs=1e-12), name
    for label in a.per_class:
        for name, value in a.per_class[label].items():
            assert value == pytest.approx(b.per_class[label][name], abs=1e-12), (label, name)
    assert np.allclose(a.accumulated.precision, b.accumulated.precision, rtol=0, atol=1e-12)
    assert np.allclose(a.accumulated.recall, b.accumulated.recall, rtol=0, atol=1e-12)
