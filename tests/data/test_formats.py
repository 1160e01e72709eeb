"""Every format against values worked out by hand, and the real data sets against counts found without our code."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from layouts import (
    coco_tree,
    encoded,
    picture,
    simple_coco,
    voc_xml,
    write_cityscapes,
    write_coco,
    write_voc,
    write_yolo,
)
from pycocotools import mask as rle

from bench.data.converting.prepare import prepare, prepare_splits
from bench.data.converting.recognise import recognise
from bench.data.converting.report import Report
from bench.data.store.coco_json import to_coco
from bench.errors import UserError


def test_bccd_has_the_counts_of_its_files(shared_data: Path, tmp_path: Path):
    root = shared_data / "bccd" / "BCCD"
    stores = prepare_splits(root.parent, tmp_path, workers=1)
    written, degenerate = 0, []
    for path in (root / "Annotations").glob("*.xml"):
        for box in ElementTree.parse(path).iter("bndbox"):
            written += 1
            x1, y1, x2, y2 = (int(box.findtext(edge)) for edge in ("xmin", "ymin", "xmax", "ymax"))
            if x2 <= x1 or y2 <= y1:
                degenerate.append(path.name)
    assert (written, len(degenerate)) == (4888, 2)
    assert sum(len(store) for store in stores.values()) == 364
    assert sum(store.manifest.counts.boxes for store in stores.values()) == 4888 - 2
    reports = [Report.load(store.path) for store in stores.values()]
    named = [example for report in reports for reason in report.boxes.dropped.values() for example in reason.examples]
    assert sorted(name.split()[0] for name in named) == sorted(degenerate)


@pytest.mark.parametrize("split", ["train", "val"])
def test_coco_mini_comes_back_as_the_json_it_was(shared_data: Path, tmp_path: Path, split: str):
    """All that the scorers use: ids, boxes, areas, crowds and masks."""
    original = json.loads((shared_data / "coco_mini" / "annotations" / f"instances_{split}2017.json").read_text())
    store = prepare(shared_data / "coco_mini", tmp_path / "store", split=split, workers=1)
    assert len(store) == len(original["images"])
    assert store.manifest.counts.boxes == len(original["annotations"])
    assert store.manifest.counts.crowd == sum(item["iscrowd"] for item in original["annotations"])
    ours = to_coco(store)
    assert [(i["id"], i["file_name"], i["width"], i["height"]) for i in ours["images"]] == [
        (i["id"], i["file_name"], i["width"], i["height"]) for i in original["images"]
    ]
    assert {c["id"]: c["name"] for c in ours["categories"]} == {c["id"]: c["name"] for c in original["categories"]}
    sizes = {image["id"]: (image["height"], image["width"]) for image in original["images"]}
    place = {image["id"]: n for n, image in enumerate(original["images"])}
    theirs = sorted(original["annotations"], key=lambda item: place[item["image_id"]])
    for a, b in zip(ours["annotations"], theirs, strict=True):
        assert all(a[name] == b[name] for name in ("image_id", "category_id", "iscrowd", "area"))
        np.testing.assert_allclose(a["bbox"], b["bbox"], atol=1e-4)
        expected = rle.frPyObjects(b["segmentation"], *sizes[b["image_id"]])
        expected = rle.merge(expected) if isinstance(expected, list) else expected
        assert a["segmentation"]["counts"].encode() == expected["counts"]


def test_coco_without_optional_keys_and_with_gaps_in_its_ids(tmp_path: Path):
    root = simple_coco(tmp_path / "data", count=3)
    store = prepare(root, tmp_path / "store", workers=1)
    assert store.class_names == ("class 3", "class 7")
    assert [item.source_id for item in store.manifest.classes] == [3, 7]
    row = store.row(2)
    assert (row.image_id, row.source_id, row.labels.tolist()) == (12, "2.jpg", [1])
    assert row.boxes.tolist() == [[4, 5, 16, 13]]
    assert row.area.tolist() == [96]
    assert row.masks is None
    assert row.image == (root / "val2017" / "2.jpg").read_bytes()


def test_coco_rle_counts_as_list_and_as_string_and_polygons(tmp_path: Path):
    mask = np.zeros((30, 40), np.uint8, order="F")
    mask[5:13, 4:14] = 1
    compressed = rle.encode(mask)
    runs = np.diff(np.concatenate([[0], np.flatnonzero(np.diff(mask.ravel(order="F"))) + 1, [mask.size]])).tolist()
    shapes = [
        {"size": [30, 40], "counts": runs},
        {"size": [30, 40], "counts": compressed["counts"].decode()},
        [[4, 5, 14, 5, 14, 13, 4, 13]],
    ]
    boxes = [
        {"id": i, "image_id": 1, "category_id": 3, "bbox": [4, 5, 10, 8], "segmentation": shape, "iscrowd": int(i == 0)}
        for i, shape in enumerate(shapes)
    ]
    images = [{"id": 1, "file_name": "a b/ü.jpg", "width": 40, "height": 30}]
    write_coco(tmp_path / "data", {"a b/ü.jpg": encoded(picture(40, 30))}, coco_tree(images, boxes))
    row = prepare(tmp_path / "data", tmp_path / "store", workers=1).row(0)
    assert row.source_id == "a b/ü.jpg"
    assert row.iscrowd.tolist() == [True, False, False]
    assert row.area.tolist() == [80, 80, 80]
    for i in range(3):
        np.testing.assert_array_equal(rle.decode(row.rle(i)), mask)


def test_coco_images_with_ids_that_are_no_numbers_are_numbered(tmp_path: Path):
    images = [{"id": name, "file_name": f"{name}.jpg", "width": 40, "height": 30} for name in ("b", "a")]
    boxes = [{"id": 1, "image_id": "a", "category_id": 3, "bbox": [1, 1, 5, 5]}]
    write_coco(tmp_path / "data", {f"{n}.jpg": encoded(picture(40, 30)) for n in "ab"}, coco_tree(images, boxes))
    store = prepare(tmp_path / "data", tmp_path / "store", workers=1)
    assert [(store.annotations(i).image_id, len(store.annotations(i))) for i in (0, 1)] == [(1, 0), (2, 1)]


def test_voc_years_are_joined_and_pixels_become_edges(tmp_path: Path):
    first = voc_xml((50, 40), [{"name": "dog", "box": (1, 1, 50, 40), "flags": ("difficult",)}])
    second = voc_xml((50, 40), [{"name": "cat", "box": (11, 21, 12, 30), "flags": ("truncated", "occluded")}])
    clipped = voc_xml((50, 40), [{"name": "cat", "box": (40, 30, 60, 50)}, {"name": "cat", "box": (5, 5, 5, 9)}])
    write_voc(tmp_path / "VOCdevkit/VOC2007", {"a": first, "t": clipped}, {"trainval": ["a"], "test": ["t"]})
    write_voc(tmp_path / "VOCdevkit/VOC2012", {"a": second}, {"trainval": ["a"]})
    stores = prepare_splits(tmp_path, tmp_path / "out", workers=1)
    train, val = stores["train"], stores["val"]
    assert [train.row(i).source_id for i in range(2)] == ["VOC2007/a", "VOC2012/a"]
    assert train.num_classes == 20
    assert train.row(0).boxes.tolist() == [[0, 0, 50, 40]]
    assert train.row(0).labels.tolist() == [11]
    assert train.row(0).difficult.tolist() == [True]
    assert train.row(1).boxes.tolist() == [[10, 20, 12, 30]]
    assert (train.row(1).truncated.tolist(), train.row(1).occluded.tolist()) == ([True], [True])
    assert val.row(0).boxes.tolist() == [[39, 29, 50, 40]]
    report = Report.load(val.path)
    assert report.boxes.dropped["box is degenerate (xmax <= xmin or ymax <= ymin)"].examples == ["t.xml object 2"]
    assert report.notes["box clipped to the image"].count == 1


def test_voc_lists_with_flags_and_names_with_spaces(tmp_path: Path):
    xml = voc_xml(None, [{"name": "dog", "box": (1, 1, 5, 5)}])
    write_voc(tmp_path / "data", {"my dog 1": xml, "b": xml}, {"train": ["my dog 1", "b  -1"], "val": ["b 1"]})
    stores = prepare_splits(tmp_path / "data", tmp_path / "out", workers=1)
    assert [stores["train"].row(i).source_id for i in range(2)] == ["my dog 1", "b"]
    assert stores["val"].row(0).source_id == "b"


def test_yolo_boxes_and_polygons(tmp_path: Path):
    labels = {"a": "1 0.5 0.5 0.2 0.4\n0 0.1 0.2 0.3 0.2 0.3 0.6 0.1 0.6\n", "b": ""}
    write_yolo(tmp_path / "data", labels)
    store = prepare(tmp_path / "data", tmp_path / "store", split="train", workers=1)
    row = store.row(0)
    assert (row.width, row.height, row.labels.tolist()) == (100, 50, [1, 0])
    np.testing.assert_allclose(row.boxes, [[40, 15, 60, 35], [10, 10, 30, 30]], rtol=1e-6)
    assert [bool(mask) for mask in row.masks] == [False, True]
    assert rle.area(row.rle(1)) == row.area[1] == 400
    assert len(store.row(1)) == 0


def test_cityscapes_from_ids_and_from_polygons_alike(tmp_path: Path):
    """A car in two parts behind a pole, a group of cars, a rider, and what has no instances."""
    ids = np.full((40, 80), 7, np.uint16)
    ids[10:20, 5:35] = 26000
    ids[0:40, 15:20] = 17
    ids[25:35, 40:70] = 26
    ids[5:15, 60:66] = 25000
    polygons = {"imgWidth": 80, "imgHeight": 40, "objects": []}
    for label, (x1, y1, x2, y2) in (
        ("road", (0, 0, 79, 39)),
        ("car", (5, 10, 34, 19)),
        ("pole", (15, 0, 19, 39)),
        ("cargroup", (40, 25, 69, 34)),
        ("rider", (60, 5, 65, 14)),
    ):
        polygons["objects"].append({"label": label, "polygon": [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]})
    write_cityscapes(tmp_path / "ids", "ulm/ulm_1", ids, None)
    write_cityscapes(tmp_path / "polygons", "ulm/ulm_1", None, polygons)
    rows = [prepare(tmp_path / form, tmp_path / f"store {form}", workers=1).row(0) for form in ("ids", "polygons")]
    for row in rows:
        assert row.source_id == "ulm/ulm_1"
        assert row.labels.tolist() == [2, 1, 2]
        assert row.iscrowd.tolist() == [True, False, False]
        assert row.boxes.tolist() == [[40, 25, 70, 35], [60, 5, 66, 15], [5, 10, 35, 20]]
        assert row.area.tolist() == [300, 60, 250]
    np.testing.assert_array_equal(rle.decode(rows[0].rle(2)), ids == 26000)
    assert rows[0].masks == rows[1].masks


def test_formats_are_recognised_by_their_folders(tmp_path: Path):
    simple_coco(tmp_path / "coco")
    write_voc(
        tmp_path / "voc", {"a": voc_xml(None, [{"name": "x", "box": (1, 1, 3, 3)}])}, {"train": ["a"], "val": ["a"]}
    )
    write_yolo(tmp_path / "yolo", {"a": "0 0.5 0.5 0.2 0.4"})
    write_cityscapes(tmp_path / "cityscapes", "ulm/a", np.full((8, 8), 24001), None)
    for kind in ("coco", "voc", "yolo", "cityscapes"):
        assert recognise(tmp_path / kind).kind == kind
    assert recognise(tmp_path / "coco/annotations/instances_val2017.json").splits() == ("val",)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="looks like no format"):
        recognise(tmp_path / "empty")
    with pytest.raises(UserError, match="no format is called 'kitti'"):
        recognise(tmp_path, "kitti")
    with pytest.raises(UserError, match="no such file or folder"):
        recognise(tmp_path / "nowhere")


def test_a_split_must_be_named_where_there_are_several(tmp_path: Path):
    write_yolo(tmp_path / "data", {"a": "0 0.5 0.5 0.2 0.4"})
    with pytest.raises(UserError, match=r"which split\?.*train, val"):
        prepare(tmp_path / "data", tmp_path / "store")
    with pytest.raises(UserError, match="no split 'tset'"):
        prepare(tmp_path / "data", tmp_path / "store", split="tset")
