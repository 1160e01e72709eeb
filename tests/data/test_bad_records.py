"""What conversion drops, with the reason that it gives; and what it refuses as a whole."""

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from layouts import coco_tree, encoded, picture, simple_coco, voc_xml, write_coco, write_voc, write_yolo

from bench.data.converting.prepare import prepare
from bench.data.converting.report import Report
from bench.errors import UserError

NAN, INFINITY = float("nan"), float("inf")

BOXES = [
    ([1, 1, 0, 5], "box has no area"),
    ([1, 1, -3, 5], "box is inverted (negative width or height)"),
    ([100, 100, 5, 5], "box lies outside the image"),
    ([NAN, 1, 5, 5], "box has NaN or infinite coordinates"),
    ([1, 1, INFINITY, 5], "box has NaN or infinite coordinates"),
    ([1e308, 1, 1e308, 5], "box has NaN or infinite coordinates"),
    ([1, 1, 1e-12, 5], "box has no area"),
    ([1, 2, 3], "box is not four numbers"),
    ([1, 2, 3, None], "box is not four numbers"),
    ("wide", "box is not four numbers"),
    (None, "box is missing"),
]


def one_image(
    root: Path, annotations: list[dict[str, Any]], image: bytes | None = None, name: str = "0.jpg", **entry: Any
) -> Path:
    """A data set of one good image with a box, and of one image as given."""
    images = [{"id": 1, "file_name": "good.jpg", "width": 40, "height": 30}, {"id": 2, "file_name": name, **entry}]
    good = {"id": 99, "image_id": 1, "category_id": 3, "bbox": [1, 1, 5, 5]}
    files = {"good.jpg": encoded(picture(40, 30))}
    if image is not None:
        files[name] = image
    return write_coco(root, files, coco_tree(images, [good, *annotations]))


def convert(root: Path, out: Path) -> tuple[Report, Any]:
    store = prepare(root, out, workers=1)
    return Report.load(store.path), store


@pytest.mark.parametrize(("box", "reason"), BOXES)
def test_boxes_that_are_no_boxes(tmp_path: Path, box: Any, reason: str):
    annotation = {"id": 5, "image_id": 1, "category_id": 3, "bbox": box}
    report, _ = convert(one_image(tmp_path / "data", [annotation], encoded(picture(9, 9))), tmp_path / "store")
    assert {name: (found.count, found.examples) for name, found in report.boxes.dropped.items()} == {
        reason: (1, ["annotation 5 of good.jpg"])
    }
    assert (report.boxes.seen, report.boxes.kept) == (2, 1)


def test_unknown_classes_and_annotations_without_an_image(tmp_path: Path):
    box = {"bbox": [1, 1, 5, 5]}
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 4, **box},
        {"id": 2, "image_id": 1, **box},
        {"id": 3, "image_id": 77, "category_id": 3, **box},
        {"id": 4, "category_id": 3, **box},
        {"id": 5, "image_id": 1, "category_id": [3], **box},
    ]
    report, store = convert(one_image(tmp_path / "data", annotations, encoded(picture(9, 9))), tmp_path / "store")
    assert {name: found.count for name, found in report.boxes.dropped.items()} == {
        "class is not among the data set's classes": 3,
        "annotation of an image that does not exist": 1,
        "annotation names no image": 1,
    }
    assert len(store) == 2
    assert len(store.row(1)) == 0
    assert "class is not among" in (store.path / "report.txt").read_text()


def test_image_ids_that_appear_twice(tmp_path: Path):
    root = simple_coco(tmp_path / "data", count=3)
    path = root / "annotations/instances_val2017.json"
    tree = json.loads(path.read_text())
    tree["images"].append({"id": 10, "file_name": "1.jpg"})
    tree["images"].append({"file_name": "2.jpg"})
    path.write_text(json.dumps(tree))
    report, store = convert(root, tmp_path / "store")
    assert {name: found.count for name, found in report.images.dropped.items()} == {
        "image id appears twice": 1,
        "image entry has no usable id": 1,
    }
    assert (report.images.seen, len(store)) == (5, 3)


def png_header(width: int, height: int) -> bytes:
    """The first bytes of a PNG of any size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


GOOD = encoded(picture(40, 30))
GOOD_PNG = encoded(picture(40, 30), "PNG")
IMAGES = [
    (b"", "image file is empty"),
    (b"\0" * 1000, "not an image, or of an unknown format"),
    (b"GIF89a", "not an image, or of an unknown format"),
    (b"#!/bin/sh\necho", "not an image, or of an unknown format"),
    (GOOD[:-40], "image is truncated"),
    (GOOD[:100], "not an image, or of an unknown format"),
    (GOOD_PNG[: len(GOOD_PNG) // 2], "image is truncated"),
    (GOOD_PNG[:60] + b"\xff\xff" + GOOD_PNG[62:], "image is damaged (wrong checksum)"),
    (encoded(picture(40, 30), "BMP")[:900], "image is damaged or truncated"),
    (
        png_header(30_000, 30_000) + struct.pack(">I4s", 100, b"IDAT") + b"\0" * 104,
        "image has more than 134217728 pixels",
    ),
    (None, "image file is missing"),
]


@pytest.mark.parametrize(("image", "reason"), IMAGES)
def test_images_that_are_no_images(tmp_path: Path, image: bytes | None, reason: str):
    annotation = {"id": 5, "image_id": 2, "category_id": 3, "bbox": [1, 1, 5, 5]}
    report, store = convert(one_image(tmp_path / "data", [annotation], image), tmp_path / "store")
    assert {name: found.examples for name, found in report.images.dropped.items()} == {reason: ["0.jpg"]}
    assert report.boxes.dropped["its image was dropped"].count == 1
    assert len(store) == 1


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "/etc/passwd", "a/../../secret.jpg", "", "nul\0byte.jpg", "..\\secret.jpg"]
)
def test_names_that_lead_out_of_the_folder(tmp_path: Path, name: str):
    root = one_image(tmp_path / "data", [], None, name)
    (root / "secret.jpg").write_bytes(GOOD)
    report, store = convert(root, tmp_path / "store")
    assert list(report.images.dropped) == ["image has no file name inside the data set's folder"]
    assert len(store) == 1


def test_an_image_of_another_size_than_annotated(tmp_path: Path):
    report, _ = convert(one_image(tmp_path / "data", [], GOOD, width=80, height=60), tmp_path / "store")
    assert list(report.images.dropped) == ["image is not of the size that its annotations say (80x60, not 40x30)"]


def test_boxes_that_stand_out_are_clipped_and_noted(tmp_path: Path):
    boxes = [
        {"id": i, "image_id": 1, "category_id": 3, "bbox": box}
        for i, box in enumerate([[-5, 2, 20, 50], [30, 20, 10.5, 10]])
    ]
    report, store = convert(one_image(tmp_path / "data", boxes, GOOD), tmp_path / "store")
    assert store.row(0).boxes[1:].tolist() == [[0, 2, 15, 30], [30, 20, 40.5, 30]]
    assert report.notes["box clipped to the image"].examples == ["annotation 0 of good.jpg"]


SEGMENTATIONS = [
    [[1, 1, 5]],
    [[1, 1, NAN, 5, 3, 3]],
    [[1, 1, 1e12, 5, 3, 3]],
    [["a", 1, 2, 3, 4, 5]],
    {"size": [30, 40], "counts": [5, 5]},
    {"size": [30, 40], "counts": "zzzz"},
    {"size": [30, 40], "counts": "0" * 5000},
    {"size": [30, 40], "counts": [-1200, 2400]},
    {"size": [3000, 4000], "counts": [12_000_000]},
    {"counts": [1200]},
    7,
]


@pytest.mark.parametrize("segmentation", SEGMENTATIONS)
def test_masks_that_cannot_be_used_leave_their_box(tmp_path: Path, segmentation: Any):
    annotation = {"id": 5, "image_id": 1, "category_id": 3, "bbox": [1, 1, 5, 5], "segmentation": segmentation}
    report, store = convert(one_image(tmp_path / "data", [annotation], GOOD), tmp_path / "store")
    assert report.notes["mask cannot be used, box kept"].count == 1
    assert len(store.row(0)) == 2


FILES = [
    ("", "'{' expected at byte 0"),
    ("[]", "'{' expected"),
    ("{}", "has no 'images'"),
    ('{"images": []', "',' expected at byte 13"),
    ('{"images": {}}', "'images' should be a list"),
    ('{"images": [{"id": 1}, {"id":', "malformed JSON"),
    ('{"images": [{"id" 1}]}', "malformed JSON at byte 18"),
    ('{"images": [], "annotations": [], "categories": []}', "has no categories"),
    ('{"images": [], "annotations": [], "categories": [{"id": 1}]}', "lacks an integer id or a name"),
    (
        '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}',
        "two categories",
    ),
    ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}', "no image could be used"),
    ('{"images": [], "annotations": [], "categories": []}]}', "the end of the file expected at byte 51"),
    ('{"images": [], "images": []}', "'images' is there twice"),
    ('{"images": [{"id": 1},]}', "malformed JSON at byte 22"),
    ('{"images": [],}', "malformed JSON at byte 14"),
    ("[" * 100_000, "'{' expected"),
    ('{"images": ' + "[" * 100_000, "nested too deep"),
    ('{"other": ' + '{"a":' * 100_000, "nested too deep"),
    ("\0\xff\xfe", "'{' expected"),
]


@pytest.mark.parametrize(("content", "what"), FILES)
def test_annotation_files_that_cannot_be_read_are_refused(tmp_path: Path, content: str, what: str):
    root = simple_coco(tmp_path / "data")
    (root / "annotations/instances_val2017.json").write_text(content)
    with pytest.raises(UserError, match=what.replace("(", r"\(")) as error:
        prepare(root, tmp_path / "store")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_two_gigabytes_of_nested_lists_are_refused_at_once_and_in_little_memory(tmp_path: Path):
    root = simple_coco(tmp_path / "data")
    path = root / "annotations/instances_val2017.json"
    with path.open("wb") as handle:
        handle.write(b'{"info": ')
        for _ in range(2048):
            handle.write(b"[" * 2**20)
    code = (
        "import resource, sys\n"
        "from bench.data.converting.prepare import prepare\nfrom bench.errors import UserError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: prepare(sys.argv[1], sys.argv[2])\nexcept UserError as error: print(error)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, root, tmp_path / "store"], capture_output=True, text=True, timeout=120
    )
    line, grown = done.stdout.splitlines()
    assert "nested too deep" in line
    assert int(grown) < 200
    path.unlink()


ENTITY = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><annotation><object><name>&e;</name></object></annotation>'
XML = [
    (ENTITY, "annotation file declares a document type or entities"),
    ("<annotation><object>", "annotation file is not well-formed XML"),
    ("", "annotation file is not well-formed XML"),
    ("\0" * 50, "annotation file declares a document type or entities"),
    ('<?xml version="1.0" encoding="klingon"?><annotation/>', "annotation file is not well-formed XML"),
]


@pytest.mark.parametrize(("content", "reason"), XML)
def test_xml_files_that_cannot_be_used(tmp_path: Path, content: str, reason: str):
    good = voc_xml((50, 40), [{"name": "dog", "box": (1, 1, 5, 5)}])
    write_voc(
        tmp_path / "data", {"good": good, "bad": content}, {"train": ["good", "bad", "absent", "good"], "val": ["good"]}
    )
    store = prepare(tmp_path / "data", tmp_path / "store", split="train", workers=1)
    report = Report.load(store.path)
    assert {name: found.examples for name, found in report.images.dropped.items()} == {
        reason: ["bad"],
        "annotation file is missing": ["absent"],
        "image is listed twice": ["good"],
    }
    assert (report.images.seen, report.images.kept) == (4, 1)


def test_yolo_lines_that_are_no_labels(tmp_path: Path):
    lines = [
        "0 0.5 0.5 0.2",
        "cat 0.5 0.5 0.2 0.2",
        "0.5 0.5 0.5 0.2 0.2",
        "9 0.5 0.5 0.2 0.2",
        "0 nan 0.5 0.2 0.2",
        "0 5 5 0.1 0.1",
    ]
    write_yolo(tmp_path / "data", {"a": "\n".join([*lines, "0 0.5 0.5 0.2 0.2"])})
    (tmp_path / "data/labels/train/orphan.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "data/images/train/unlabelled.png").write_bytes(GOOD_PNG)
    store = prepare(tmp_path / "data", tmp_path / "store", split="train", workers=1)
    report = Report.load(store.path)
    assert {name: found.count for name, found in report.boxes.dropped.items()} == {
        "line is neither a box nor a polygon": 1,
        "line is not made of numbers": 1,
        "class is not among the data set's classes": 2,
        "box has NaN or infinite coordinates": 1,
        "box lies outside the image": 1,
        "annotation of an image that does not exist": 2,
    }
    assert (report.boxes.seen, report.boxes.kept) == (9, 1)
    assert report.notes["no label file: an image without objects"].examples == ["images/train/unlabelled.png"]


@pytest.mark.parametrize("indexed", [True, False])
def test_the_policy_fail_stops_at_the_first_bad_record(tmp_path: Path, indexed: bool):
    bad = (
        {"id": 5, "image_id": 77, "category_id": 3, "bbox": [1, 1, 5, 5]}
        if indexed
        else {"id": 5, "image_id": 1, "category_id": 3}
    )
    root = one_image(tmp_path / "data", [bad], GOOD)
    with pytest.raises(UserError, match="does not exist" if indexed else "annotation 5 of good.jpg: box is missing"):
        prepare(root, tmp_path / "store", on_error="fail", workers=1)
    assert not (tmp_path / "store").exists()
