"""Correlations, bins, calibration and LRP against their definitions, written as loops."""

import numpy as np
import pytest
from scipy import stats

from bench.score.evaluate import evaluate
from bench.score.measures.calibration import laece, overall_reliability, reliability, true_iou
from bench.score.measures.iou_bins import (
    mean_score_by_iou,
    object_iou,
    positives_by_iou,
    recall_by_iou,
    share_above_iou,
)
from bench.score.measures.lrp import mean_lrp, optimal_lrp
from bench.score.measures.oracle import ranked_by_cls_and_true_iou, ranked_by_true_iou, without_suppression_errors
from bench.score.measures.quality import best_iou, mean_error, pearson, spearman
from bench.score.protocols.matching import match
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from tests.score.simulate import random_detections, random_truth
from tests.score.test_voc_protocol import slow_iou


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(7)
    truth = random_truth(rng)
    return truth, random_detections(rng, truth)


def slow_best(truth, found):
    best = np.zeros(len(found))
    target = np.full(len(found), -1)
    for d in range(len(found)):
        for g in range(len(truth)):
            same = truth.image[g] == found.image[d] and truth.labels[g] == found.labels[d]
            if same and not truth.iscrowd[g]:
                value = slow_iou(found.boxes[d], truth.boxes[g], 0.0, False)
                if value > best[d]:
                    best[d], target[d] = value, g
    return best, target


def test_best_iou(case):
    truth, found = case
    best, target = slow_best(truth, found)
    ours = best_iou(truth, found)
    assert np.allclose(ours.iou, best, rtol=0, atol=1e-12)
    assert (ours.target == target).all()


def test_correlations_and_error(case):
    truth, found = case
    best, _ = slow_best(truth, found)
    near = best > 0.5
    metrics = evaluate(found, truth).metrics
    for name, values in (("score", found.scores), ("cls", found.cls), ("pred_iou", found.quality["iou"])):
        assert metrics[f"pearson_iou_{name}"] == pytest.approx(stats.pearsonr(values[near], best[near])[0], abs=1e-9)
        assert metrics[f"spearman_iou_{name}"] == pytest.approx(stats.spearmanr(values[near], best[near])[0], abs=1e-9)
    error = np.abs(found.quality["iou"][near] - best[near]).mean()
    assert metrics["iou_pred_error"] == pytest.approx(error, abs=1e-12)


def test_weights_count_a_point_so_many_times():
    rng = np.random.default_rng(0)
    x, y, w = rng.integers(0, 5, 40), rng.random(40), rng.integers(0, 4, 40)
    for measure in (pearson, spearman, mean_error):
        assert measure(x, y, w.astype(float)) == pytest.approx(measure(np.repeat(x, w), np.repeat(y, w)), abs=1e-12)


def test_correlation_of_nothing_is_undefined():
    for points in ([], [0.5], [0.5, 0.5]):
        assert np.isnan(pearson(np.array(points), np.array(points)))
        assert np.isnan(spearman(np.array(points), np.array(points)))
    assert np.isnan(mean_error(np.zeros(0), np.zeros(0)))


def test_bins_of_iou(case):
    truth, found = case
    best, target = slow_best(truth, found)
    per_object = [best[target == g].max(initial=0) for g in range(len(truth)) if not truth.iscrowd[g]]
    reached = object_iou(truth, found)
    positives = positives_by_iou(reached)
    expected = [
        sum(lo <= v < hi for v in per_object) for lo, hi in zip(positives.edges, positives.edges[1:], strict=False)
    ]
    assert positives.count.tolist() == expected
    thresholds = np.array([0.5, 0.75, 0.9])
    assert recall_by_iou(reached, thresholds).tolist() == pytest.approx(
        [np.mean(np.array(per_object) >= t) for t in thresholds]
    )
    assert share_above_iou(truth, found, thresholds).tolist() == pytest.approx(
        [np.mean(best[best > 0.5] > t) for t in thresholds]
    )
    means = mean_score_by_iou(truth, found)
    inside = (best >= 0.6) & (best < 0.65)
    assert means.values[2] == pytest.approx(found.scores[inside].mean())
    assert means.count[2] == inside.sum()
    assert means.rows()[2]["value"] == means.values[2]


def test_oracles_are_worth_something(case):
    truth, found = case
    plain = evaluate(found, truth).metrics["AP"]
    perfect = evaluate(ranked_by_true_iou(truth, found), truth).metrics["AP"]
    assert perfect > plain
    product = ranked_by_cls_and_true_iou(truth, found)
    best, _ = slow_best(truth, found)
    assert np.allclose(product.scores, found.cls * best)


def test_without_suppression_errors_the_best_box_stays():
    truth = simple_truth([[0, 0, 10, 10]])
    candidates = Detections.from_boxes(
        1, [0, 0, 0], [[0, 0, 10, 8], [0, 0, 10, 9.5], [60, 60, 70, 70]], [0.9, 0.2, 0.5], [0, 0, 0]
    )
    suppressed = candidates.select(np.array([0, 2]))
    ideal = without_suppression_errors(truth, suppressed, candidates)
    assert ideal.boxes.tolist() == [[0, 0, 10, 9.5], [60, 60, 70, 70]]
    assert ideal.scores.tolist() == [0.9, 0.5]
    assert evaluate(suppressed, truth).metrics["AP90"] == 0
    assert evaluate(ideal, truth).metrics["AP90"] == 1


def test_perfect_calibration_has_no_error():
    matches = match(simple_truth([[0, 0, 10, 10]]), boxes := one_box([0, 0, 10, 8], 0.8), thresholds=np.array([0.5]))
    iou = true_iou(simple_truth([[0, 0, 10, 10]]), boxes, matches)
    assert laece(matches, iou) == pytest.approx(0)


def test_calibration_error_of_each_class_counts_the_same(case):
    truth, found = case
    matches = match(truth, found, thresholds=np.array([0.5]))
    iou, values = true_iou(truth, found, matches), []
    for label in range(truth.num_classes):
        own = [d for d in range(len(matches.label)) if matches.label[d] == label and not matches.ignored[0, d]]
        total = 0.0
        for low in range(25):
            inside = [d for d in own if low == min(int(matches.score[d] * 25), 24)]
            if inside:
                hits = [d for d in inside if matches.true[0, d]]
                reached = len(hits) / len(inside) * (np.mean(iou[hits]) if hits else 0)
                total += len(inside) / len(own) * abs(np.mean(matches.score[inside]) - reached)
        values.append(total)
    assert laece(matches, iou) == pytest.approx(np.mean(values), abs=1e-12)


def test_reliability_counts_everything_once(case):
    truth, found = case
    matches = match(truth, found, thresholds=np.array([0.5]))
    diagram = overall_reliability(truth, found, matches)
    assert diagram.count.sum() == (~matches.ignored[0]).sum()
    assert np.isnan(reliability(np.zeros(0), np.zeros(0, bool), np.zeros(0)).error)


def test_lrp_is_the_least_over_all_thresholds(case):
    truth, found = case
    matches = match(truth, found, thresholds=np.array([0.5]))
    iou = true_iou(truth, found, matches)
    classes = optimal_lrp(matches, iou)
    for label, ours in enumerate(classes):
        objects = int((matches.positive_label == label).sum())
        own = [d for d in range(len(matches.label)) if matches.label[d] == label and not matches.ignored[0, d]]
        errors = [1.0]
        for threshold in {float(matches.score[d]) for d in own}:
            kept = [d for d in own if matches.score[d] >= threshold]
            hits = [d for d in kept if matches.true[0, d]]
            wrong, missed = len(kept) - len(hits), objects - len(hits)
            errors.append((sum((1 - iou[d]) / 0.5 for d in hits) + wrong + missed) / (len(hits) + wrong + missed))
        assert ours.error == pytest.approx(min(errors), abs=1e-12)
    assert mean_lrp(classes)["oLRP"] == pytest.approx(np.mean([c.error for c in classes]))


def test_lrp_of_perfect_and_of_no_detections():
    truth = simple_truth([[0, 0, 10, 10]])
    for boxes, expected in ((one_box([0, 0, 10, 10], 0.3), 0.0), (one_box([50, 50, 60, 60], 0.3), 1.0)):
        matches = match(truth, boxes, thresholds=np.array([0.5]))
        assert mean_lrp(optimal_lrp(matches, true_iou(truth, boxes, matches)))["oLRP"] == expected


def one_box(box, score):
    return Detections.from_boxes(1, [0], [box], [score], [0])


def simple_truth(boxes):
    return GroundTruth.from_coco(
        {
            "images": [{"id": 1}],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [
                {"id": i + 1, "image_id": 1, "category_id": 1, "bbox": [x, y, x2 - x, y2 - y]}
                for i, (x, y, x2, y2) in enumerate(boxes)
            ],
        }
    )
