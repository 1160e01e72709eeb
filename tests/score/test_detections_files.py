"""Detections to Parquet, to COCO results, and back; input that a person can mend."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import UserError
from bench.score.evaluate import evaluate, evaluate_file
from bench.score.tables.detections import Detections
from bench.score.tables.detections_file import (
    from_coco_results,
    read_detections,
    read_parquet,
    to_coco_results,
    write_parquet,
)
from bench.score.tables.ground_truth import GroundTruth
from tests.score.simulate import random_detections, random_truth


@pytest.fixture
def truth():
    return random_truth(np.random.default_rng(0))


@pytest.fixture
def found(truth):
    return random_detections(np.random.default_rng(1), truth)


def test_parquet_round_trip(tmp_path, truth, found):
    write_parquet(tmp_path / "d.parquet", found, dtype=np.float64)
    back = read_parquet(tmp_path / "d.parquet", truth.num_images)
    order = np.argsort(found.image, kind="stable")
    expected = found.select(order)
    for name in ("image", "scores", "labels", "cls"):
        assert (getattr(back, name) == getattr(expected, name)).all(), name
    assert (back.quality["iou"] == expected.quality["iou"]).all()
    assert np.allclose(back.xywh, expected.xywh, rtol=0, atol=1e-10)


def test_all_forms_score_the_same(tmp_path, truth, found):
    (tmp_path / "d.json").write_text(json.dumps(to_coco_results(found, truth)))
    write_parquet(tmp_path / "d.parquet", found, dtype=np.float64)
    expected = evaluate(found, truth).metrics
    for name in ("d.json", "d.parquet"):
        assert evaluate(read_detections(tmp_path / name, truth), truth).metrics["AP"] == expected["AP"]


def test_results_json_round_trip_is_exact(truth, found):
    back = from_coco_results(json.loads(json.dumps(to_coco_results(found, truth))), truth)
    for name in ("image", "scores", "labels", "xywh"):
        assert (getattr(back, name) == getattr(found, name)).all(), name


def test_output_of_a_detector(truth):
    import torch

    outputs = [
        {"boxes": torch.tensor([[0.0, 0, 9, 9]]), "scores": torch.tensor([0.5]), "labels": torch.tensor([1]),
         "cls": torch.tensor([0.4]), "iou": torch.tensor([0.9])},
        {"boxes": torch.zeros(0, 4), "scores": torch.zeros(0), "labels": torch.zeros(0, dtype=torch.int64),
         "cls": torch.zeros(0), "iou": torch.zeros(0)},
    ]  # fmt: skip
    found = Detections.from_output(outputs, images=[7, 3])
    assert found.image.tolist() == [7]
    assert found.xywh.tolist() == [[0, 0, 9, 9]]
    assert (found.num_images, found.labels.tolist()) == (8, [1])
    assert found.cls.tolist() == pytest.approx([0.4])
    assert found.quality["iou"].tolist() == pytest.approx([0.9])


GOOD = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5], "score": 0.5}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("{", "not JSON"),
        ('{"a": 1}', "not a list"),
        ("[3]", "result 0 is 3"),
        (json.dumps([{"image_id": 1}]), "result 0 lacks bbox"),
        (json.dumps([GOOD, GOOD | {"image_id": 999}]), "result 1 has the image_id 999"),
        (json.dumps([GOOD, GOOD | {"image_id": [1]}]), "result 1 has the image_id [1]"),
        (json.dumps([GOOD | {"category_id": 77}]), "result 0 has the category_id 77"),
        (json.dumps([GOOD | {"bbox": [0, 0, 5]}]), "result 0 has the bbox [0, 0, 5]"),
        (json.dumps([GOOD | {"bbox": [0, 0, -5, 5]}]), "detection 0 has the box"),
        (json.dumps([GOOD | {"bbox": [0, float("nan"), 5, 5]}]), "detection 0 has the box"),
        (json.dumps([GOOD, GOOD | {"score": float("inf")}]), "detection 1 has the score inf"),
        (json.dumps([GOOD, GOOD | {"score": -0.1}]), "detection 1 has the score -0.1"),
        (json.dumps([GOOD, GOOD | {"score": None}]), "detection 1 has the score nan"),
        (json.dumps([GOOD, GOOD | {"score": "high"}]), "result 1 has the score 'high'"),
        (json.dumps([GOOD | {"id": 4}, GOOD | {"id": 4}]), "two results have the id 4"),
        (json.dumps([{"image_id": 1, "category_id": 1, "score": 1, "segmentation": 5}]), "result 0: unreadable"),
    ],
)
def test_bad_results_are_one_line_that_names_file_and_record(tmp_path, truth, text, words):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_detections(path, truth)
    assert str(path) in str(error.value)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_empty_list_is_no_detections(tmp_path, truth):
    (tmp_path / "none.json").write_text("[]")
    assert len(read_detections(tmp_path / "none.json", truth)) == 0


def test_damaged_parquet(tmp_path, truth, found):
    path = tmp_path / "d.parquet"
    write_parquet(path, found)
    whole = path.read_bytes()
    for size in (0, 3, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"d\.parquet: not a whole Parquet file"):
            read_detections(path, truth)
    path.write_bytes(whole[:200] + bytes(len(whole[200:400])) + whole[400:])
    with pytest.raises(UserError, match=r"d\.parquet"):
        read_detections(path, truth)
    with pytest.raises(UserError, match="no such file"):
        read_detections(tmp_path / "absent.parquet", truth)


def test_other_versions_and_forms_are_refused(tmp_path, truth, found):
    path = tmp_path / "d.parquet"
    write_parquet(path, found)
    table = pq.read_table(path)
    for header, words in (
        ({"form": "detections", "version": 2}, "schema version 2"),
        ({"form": "raw predictions", "version": 1}, "'raw predictions', not 'detections'"),
    ):
        pq.write_table(table.replace_schema_metadata({"locbench": json.dumps(header)}), path)
        with pytest.raises(UserError, match=words):
            read_detections(path, truth)
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(UserError, match="no locbench data"):
        read_detections(path, truth)
    pq.write_table(table.drop_columns(["labels"]), path)
    with pytest.raises(UserError, match="lacks the columns labels"):
        read_detections(path, truth)


def test_parquet_for_other_data(tmp_path, truth, found):
    path = tmp_path / "d.parquet"
    write_parquet(path, found)
    with pytest.raises(UserError, match="the data have 3 images"):
        read_parquet(path, 3)
    other = GroundTruth.from_coco(
        {"images": [{"id": i} for i in range(20)], "annotations": [], "categories": [{"id": 1, "name": "a"}]}
    )
    with pytest.raises(UserError, match="label"):
        read_detections(path, other)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "no list 'images'"),
        ({"images": [], "annotations": {}, "categories": []}, "no list 'annotations'"),
        ({"images": [{"id": 1}, {"id": 1}], "annotations": [], "categories": []}, "image id 1"),
        ({"images": [{"id": "x"}], "annotations": [], "categories": []}, "not an integer"),
        ({"images": [{}], "annotations": [], "categories": []}, "no 'id'"),
        ({"images": [], "annotations": [{"id": 1, "image_id": 5, "category_id": 1, "bbox": [0, 0, 1, 1]}],
          "categories": []}, "names the image 5"),
        ({"images": [{"id": 5}], "annotations": [{"id": 1, "image_id": 5, "category_id": 1, "bbox": [0, 0, 1]}],
          "categories": [{"id": 1}]}, "annotation 1 has the bbox"),
        ({"images": [{"id": 5}], "annotations": [
            {"id": i, "image_id": 5, "category_id": 1, "bbox": [0, 0, 1, 1]} for i in (3, 3)
        ], "categories": [{"id": 1}]}, "annotation id 3"),
    ],
)  # fmt: skip
def test_bad_ground_truth(tmp_path, content, words):
    path = tmp_path / "gt.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=words) as error:
        evaluate_file(tmp_path / "d.json", path)
    assert str(path) in str(error.value)


def test_a_file_may_hold_some_of_the_images_in_any_order(tmp_path: Path) -> None:
    whole = Detections.from_boxes(
        4, [0, 1, 3, 3], [[0, 0, i + 1, 2] for i in range(4)], [0.4, 0.3, 0.2, 0.1], [0, 0, 0, 0]
    )
    write_parquet(tmp_path / "all.parquet", whole)
    table = pq.read_table(tmp_path / "all.parquet")
    pq.write_table(table.take([3, 1]), tmp_path / "some.parquet")
    some = read_parquet(tmp_path / "some.parquet", 4)
    assert sorted(some.image.tolist()) == [1, 3, 3]
    for image, box in zip(some.image, some.boxes, strict=True):
        assert box[2] in {1: (2,), 3: (3, 4)}[int(image)]
