"""Errors by type: the numbers of the tidecv package 1.0.1 on two sets, and cases one can see."""

import numpy as np
import pytest

from bench.score.measures.tide import TYPES, errors
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from tests.score.simulate import random_detections, random_truth

TIDECV = {
    0: (40.779448, {"Cls": 5.158399, "Loc": 3.821207, "Both": 0.786996, "Dupe": 5.616056, "Bkg": 11.456540,
                    "Miss": 1.790249, "FalsePos": 50.804710, "FalseNeg": 3.579614}),
    2: (37.392336, {"Cls": 6.530332, "Loc": 2.325642, "Both": 1.687964, "Dupe": 8.376938, "Bkg": 10.225091,
                    "Miss": 1.069604, "FalsePos": 56.172021, "FalseNeg": 2.543466}),
}  # fmt: skip


@pytest.mark.parametrize("seed", TIDECV)
def test_numbers_of_tidecv(seed):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng, images=40, objects=150, classes=4)
    found = errors(truth, random_detections(rng, truth, near=500, far=200, ties=False))
    ap, costs = TIDECV[seed]
    assert 100 * found.ap == pytest.approx(ap, abs=1e-4)
    assert {name: 100 * value for name, value in found.cost.items()} == pytest.approx(costs, abs=1e-4)


def test_counts_on_official_results(shared_data):
    from bench.score.evaluate import load_truth
    from bench.score.tables.detections_file import read_detections

    folder = shared_data / "coco_parity"
    truth = load_truth(folder / "instances_val2014_100.json")
    found = errors(truth, read_detections(folder / "instances_val2014_fakebbox100_results.json", truth))
    assert found.count() == {"Cls": 83, "Loc": 1, "Both": 0, "Dupe": 1, "Bkg": 0, "Miss": 97}


TRUTH = GroundTruth.from_coco(
    {
        "images": [{"id": 1}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10]},
            {"id": 2, "image_id": 1, "category_id": 2, "bbox": [50, 50, 10, 10]},
        ],
    }
)
CAT, DOG = ([0, 0, 10, 10], 0), ([50, 50, 60, 60], 1)


@pytest.mark.parametrize(
    ("extra", "kind"),
    [
        (([0, 0, 10, 9], 0), "Dupe"),
        (([200, 200, 210, 210], 0), "Bkg"),
        (([0, 0, 10, 3], 0), "Loc"),
        (([50, 50, 60, 60], 0), "Cls"),
        (([50, 50, 60, 53], 0), "Both"),
    ],
)
def test_each_type(extra, kind):
    boxes, labels = zip(extra, CAT, DOG, strict=True)
    found = errors(
        TRUTH, Detections.from_boxes(1, [0, 0, 0], boxes, [0.9, 0.95 if kind == "Dupe" else 0.5, 0.5], labels)
    )
    assert found.count() == {name: int(name == kind) for name in TYPES}
    assert found.cost["FalsePos"] == pytest.approx(1 - found.ap)
    assert found.cost[kind] == pytest.approx(1 - found.ap)


def test_missed():
    found = errors(TRUTH, Detections.from_boxes(1, [0], [CAT[0]], [0.9], [CAT[1]]))
    assert found.count()["Miss"] == 1
    assert found.ap == 0.5
    assert found.cost["Miss"] == found.cost["FalseNeg"] == 0.5


def test_nothing_at_all():
    empty = TRUTH.only_classes([])
    found = errors(empty, Detections.from_boxes(1, [], [], [], []))
    assert set(found.cost.values()) == {0.0}
