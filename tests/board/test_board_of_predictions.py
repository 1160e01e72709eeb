"""The board's numbers are those of pycocotools on the raw predictions, whatever lies between."""

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bench.board.board import Board
from bench.board.forms.page_data import page_data
from bench.board.load import load_board
from bench.score.evaluate import evaluate
from bench.score.resampling.compare import compare
from bench.score.resampling.summary import summary
from bench.score.rescore import rescore
from bench.score.scores import Scores
from bench.score.tables.ground_truth import GroundTruth
from bench.score.tables.raw_file import RawFile, RawHeader, RawWriter
from bench.study.steps.result import write_json
from bench.track.tracker import Tracker
from detectors.parts.post import PostConfig, standard
from detectors.parts.suppress import none, soft
from tests.score.simulate import random_raw, random_truth

IMAGES, CLASSES = 6, 2
POSTS: dict[str, PostConfig] = {
    "baseline": standard.Config(),
    "soft": standard.Config(suppress=soft.Config(method="linear")),
    "none": standard.Config(suppress=none.Config(), max_detections=30),
}
NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def predict(folder: Path, seed: int) -> None:
    with RawWriter(folder, RawHeader(num_classes=CLASSES)) as writer:
        images = list(range(IMAGES))
        writer.add(
            random_raw(seed, images=IMAGES, classes=CLASSES, sources=25), images, [str(image) for image in images]
        )


def run_study(
    tracker: Tracker, folder: Path, truth: GroundTruth, seeds: list[int], resamples: int
) -> tuple[Board, dict[tuple[str, int], Scores]]:
    """As the driver of a study does it, under a name of its own."""
    scores, name = {}, folder.name
    tracker.start_study(name, "p", "", {"baseline": "baseline", "rows": list(POSTS)})
    for seed in seeds:
        predict(folder / str(seed), seed)
        for row, post in POSTS.items():
            run = tracker.start_row(name, row, seed, {"post": row}, {}, profile="p")
            (rescored,) = rescore(folder / str(seed), post)
            scores[row, seed] = evaluate(rescored.detections, truth)
            write_json(folder / "scores.json", summary(scores[row, seed], "data", resamples=resamples))
            tracker.artifact(run, folder / "scores.json")
            tracker.finish(run, "done", metrics=scores[row, seed].metrics)
    return load_board(tracker, [name]), scores


def by_pycocotools(folder: Path, post: PostConfig, truth: GroundTruth) -> dict[str, float]:
    """From the stored file, without any of our scoring."""
    results = []
    for raw, images in RawFile(folder).batches(3):
        for image, found in zip(images, post.build()(raw), strict=True):
            for box, score, label in zip(
                found["boxes"].double().tolist(), found["scores"].tolist(), found["labels"].tolist(), strict=True
            ):
                bbox = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
                results.append(
                    {"image_id": int(truth.image_ids[image]), "category_id": label + 1, "bbox": bbox, "score": score}
                )
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = in_coco_form(truth)
        reference.createIndex()
        judge = COCOeval(reference, reference.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return dict(zip(NAMES, judge.stats, strict=True))


def in_coco_form(truth: GroundTruth) -> dict[str, Any]:
    objects = zip(truth.image, truth.labels, truth.xywh, truth.area, truth.iscrowd, strict=True)
    return {
        "info": {},
        "images": [{"id": int(i), "width": 512, "height": 512} for i in truth.image_ids],
        "categories": [{"id": i, "name": name} for i, name in zip(truth.class_ids, truth.class_names, strict=True)],
        "annotations": [
            {
                "id": number + 1,
                "image_id": int(truth.image_ids[image]),
                "category_id": int(label) + 1,
                "bbox": xywh.tolist(),
                "area": float(area),
                "iscrowd": int(crowd),
            }
            for number, (image, label, xywh, area, crowd) in enumerate(objects)
        ],
    }


@settings(max_examples=3, deadline=None)
@given(start=st.integers(0, 2**20), seeds=st.integers(1, 2))
def test_every_number_is_recomputed(tracker: Tracker, start: int, seeds: int) -> None:
    truth = random_truth(np.random.default_rng(start), images=IMAGES, objects=30, classes=CLASSES)
    chosen = list(range(start, start + seeds))
    with tempfile.TemporaryDirectory() as folder:
        board, _ = run_study(tracker, Path(folder), truth, chosen, resamples=10)
        expected = {
            name: [by_pycocotools(Path(folder) / str(seed), post, truth) for seed in chosen]
            for name, post in POSTS.items()
        }
    shown = {row["name"]: row for row in page_data(board)["rows"]}
    for row in board.rows:
        for metric in NAMES:
            values = [numbers[metric] for numbers in expected[row.name]]
            if min(values) < 0:
                assert metric not in row.values or np.isfinite(row.values[metric].value)
                continue
            assert row.values[metric].value == pytest.approx(np.mean(values), abs=1e-9)
            cell = shown[row.name]["v"][board.columns.index(metric)]
            assert (cell[0] if isinstance(cell, list) else cell) == pytest.approx(np.mean(values), rel=1e-4)
            if not row.is_baseline:
                change = np.mean(values) - np.mean([numbers[metric] for numbers in expected["baseline"]])
                assert row.changes[metric].value == pytest.approx(change, abs=1e-9)
    means = {name: np.mean([numbers["AP"] for numbers in found]) for name, found in expected.items()}
    assert [row.name for row in board.rows] == sorted(means, key=lambda name: (-means[name], list(means).index(name)))


def test_the_interval_of_a_change_is_the_paired_bootstrap(tracker: Tracker, tmp_path: Path) -> None:
    truth = random_truth(np.random.default_rng(5), images=IMAGES, classes=CLASSES)
    board, scores = run_study(tracker, tmp_path, truth, [5], resamples=100)
    rows = {row.name: row for row in board.rows}
    (expected,) = compare(scores["baseline", 5], scores["soft", 5], ("AP",), resamples=100)
    found = rows["soft"].changes["AP"]
    assert (found.low, found.high) == (
        pytest.approx(expected.difference.low, abs=1e-5),
        pytest.approx(expected.difference.high, abs=1e-5),
    )
