"""Pictures hold the numbers they claim to show, and reach the disk whole."""

import csv

import numpy as np
import pytest
from PIL import Image

from bench.score.evaluate import evaluate
from bench.score.measures.calibration import overall_reliability
from bench.score.measures.iou_bins import object_iou, positives_by_iou, recall_by_iou, share_above_iou
from bench.score.measures.tide import errors
from bench.score.pictures import bins, curves, gallery, report, scatter
from bench.score.resampling.statistics import half_matches
from tests.score.simulate import random_detections, random_truth


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(0)
    truth = random_truth(rng)
    return evaluate(random_detections(rng, truth), truth)


def test_report_writes_every_picture_and_its_numbers(scores, tmp_path):
    paths = report.draw(scores, tmp_path, load=lambda _: np.zeros((512, 512, 3), np.uint8))
    assert len(paths) == 22
    assert [path.name for path in paths if path.suffix == ".jpg"] == ["worst.jpg", "best.jpg"]
    for path in paths:
        if path.suffix != ".csv":
            with Image.open(path) as image:
                image.load()
                assert min(image.size) > 300
                assert len(np.unique(np.asarray(image.convert("L")))) > 20
        else:
            with path.open() as file:
                assert list(csv.DictReader(file))


def test_curves_show_the_metrics(scores):
    data = curves.ap_over_iou({"a": scores}).data
    assert [row["iou"] for row in data] == [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
    by_iou = {row["iou"]: row["value"] for row in data}
    for percent in (50, 60, 75, 90):
        assert by_iou[percent / 100] == pytest.approx(scores.metrics[f"AP{percent}"], abs=1e-12)
    precision = [row["precision"] for row in curves.precision_recall(scores).data if row["iou"] == 0.75]
    assert np.mean(precision) == pytest.approx(scores.metrics["AP75"], abs=1e-12)


def test_curves_of_voc_and_of_rescored_detections(scores):
    from dataclasses import replace

    slim = curves.ap_over_iou({"a": replace(scores, accumulated=None)}).data
    assert [row["value"] for row in slim] == pytest.approx(
        [row["value"] for row in curves.ap_over_iou({"a": scores}).data], abs=1e-12
    )
    voc = evaluate(scores.detections, scores.truth, "voc2007")
    assert curves.ap_over_iou({"a": voc}).data[0]["value"] == pytest.approx(voc.metrics["AP50"])
    with pytest.raises(ValueError, match="no precision arrays"):
        curves.precision_recall(voc)


def test_suppression_pictures(scores):
    truth, found = scores.truth, scores.detections
    some = found.select(found.scores > 0.5)
    reached = {"all": object_iou(truth, found), "some": object_iou(truth, some)}
    recall = curves.recall_over_iou(reached).data
    assert [row["value"] for row in recall if row["row"] == "some"] == recall_by_iou(reached["some"]).tolist()
    share = curves.share_over_iou(truth, {"all": found}).data
    assert [row["value"] for row in share] == share_above_iou(truth, found).tolist()
    bars = bins.positives_after_suppression(reached).data
    total = {name: sum(row["value"] for row in bars if row["row"] == name) for name in ("all", "some")}
    assert 0 < total["some"] < total["all"]
    assert len(bins.score_by_iou(truth, {"all": found}).data) == 10


def test_a_report_shows_what_suppression_took_beside_what_it_left(scores, tmp_path):
    truth, found = scores.truth, scores.detections
    before = np.fmin(object_iou(truth, found) + 0.05, 1)
    report.draw(scores, tmp_path, before=before)
    for title, values in (("positives_after_suppression", positives_by_iou), ("recall_over_iou", recall_by_iou)):
        with (tmp_path / f"{title}.csv").open() as file:
            shown = [float(row["value"]) for row in csv.DictReader(file) if row["row"] == "before suppression"]
        expected = values(before)
        assert shown == pytest.approx((expected if isinstance(expected, np.ndarray) else expected.values).tolist())


def test_bars_scatter_and_reliability(scores):
    truth, found = scores.truth, scores.detections
    wrong = errors(truth, found)
    data = {row["type"]: row for row in bins.error_bars({"a": wrong}).data}
    assert data["Loc"]["ap_points"] == 100 * wrong.cost["Loc"]
    assert data["Miss"]["count"] == len(wrong.missed)
    points = scatter.iou_scatter(truth, found, {"pred_iou": "predicted IoU"}).data
    assert all(row["iou"] > 0.5 for row in points)
    assert np.corrcoef([[r["iou"] for r in points], [r["pred_iou"] for r in points]])[0, 1] == pytest.approx(
        scores.metrics["pearson_iou_pred_iou"]
    )
    diagram = overall_reliability(truth, found, half_matches(scores))
    assert sum(row["count"] for row in bins.reliability_diagram(diagram).data) == diagram.count.sum()


def test_gallery_orders_images_by_their_error(scores):
    ranked = gallery.image_errors(scores)
    assert [one.error for one in ranked] == sorted(one.error for one in ranked)
    assert all(0 <= one.error <= 1 for one in ranked)
    matches = half_matches(scores)
    assert sum(one.found for one in ranked) == (matches.true[0] & (matches.score >= gallery.MIN_SCORE)).sum()
    assert sum(one.found + one.missed for one in ranked) == len(matches.positive_image)
    worst = gallery.gallery(scores, lambda _: np.zeros((512, 512, 3), np.uint8), "worst", count=3)
    assert [row["image"] for row in worst.data] == [one.image for one in ranked[::-1][:3]]


def test_nothing_found(scores):
    nothing = evaluate(scores.detections.select(np.zeros(len(scores.detections), bool)), scores.truth)
    assert curves.ap_over_iou({"a": nothing}).data[0]["value"] == 0
    assert scatter.iou_scatter(nothing.truth, nothing.detections).data == []
    assert bins.error_bars({"a": errors(nothing.truth, nothing.detections)}).data
