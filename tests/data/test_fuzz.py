"""Thousands of damaged annotations and files: no crash, no hang, and rows in = rows kept + rows reported."""

import copy
import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layouts import encoded, picture, simple_coco, voc_xml, write_cityscapes, write_voc, write_yolo

from bench.data.batches.decode import decode
from bench.data.chunks import cityscapes, voc, yolo
from bench.data.converting.record import Record, to_row
from bench.data.converting.report import Report
from bench.data.formats import DataConfig, coco
from bench.data.looking.verify import row_problems
from bench.errors import UserError


def fuzz(examples: int) -> Any:
    """The same examples in every run; a single one may take five seconds at most."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=timedelta(seconds=5),
        suppress_health_check=list(HealthCheck),
    )


ODD = [
    None,
    True,
    -1,
    0,
    1e400,
    float("nan"),
    10**30,
    "",
    "7",
    "../x",
    "\ud800",
    [],
    [[]],
    {},
    {"a": 1},
    [1, 2, 3, 4],
    "\0",
]
ODD_TEXT = ["", " ", "nan", "-inf", "1e999", "9" * 40, "<", "&x;", "]]>", "\0", "ü", "-5", "0x10", "\n", "é" * 30]


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Cuts, flips, repetitions and insertions at a few places."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(found)))
        kind = draw(st.sampled_from(["cut", "flip", "remove", "repeat", "insert", "text"]))
        length = draw(st.integers(1, 40))
        if kind == "cut":
            del found[at:]
        elif kind == "remove":
            del found[at : at + length]
        elif kind == "repeat":
            found[at:at] = found[at : at + length]
        elif kind == "insert":
            found[at:at] = draw(st.binary(min_size=1, max_size=12))
        elif kind == "text":
            found[at : at + draw(st.integers(0, 6))] = draw(st.sampled_from(ODD_TEXT)).encode("utf-8", "surrogatepass")
        elif at < len(found):
            found[at] ^= 1 << draw(st.integers(0, 7))
    return bytes(found)


@st.composite
def damaged_tree(draw: st.DrawFn, tree: Any) -> Any:
    """Some values of a JSON tree replaced, removed or doubled."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 4))):
        place = tree
        for _ in range(draw(st.integers(1, 4))):
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], (dict, list)) and draw(st.booleans()):
                place = place[key]
                continue
            action = draw(st.sampled_from(["replace", "remove", "double"]))
            if action == "replace":
                place[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
            elif action == "remove":
                del place[key]
            elif isinstance(place, list):
                place.append(copy.deepcopy(place[key]))
            break
    return tree


def rows_of(config: DataConfig, split: str) -> Report | None:
    """Converts without writing; checks the sums and every row. None where the whole was refused with one line."""
    try:
        source = config.build(split)
    except UserError:
        return None
    report = Report()
    rows = list(source.chunk(0, len(source)).rows(report)) if len(source) else []
    assert len(rows) == report.images.kept
    assert sum(len(row) for row in rows) == report.boxes.kept
    assert not [
        problem for row in rows for problem in row_problems(row, len(source.classes)) if "decode" not in problem
    ]
    report.merge(source.found)
    report.check()
    return report


@pytest.fixture(scope="module")
def coco_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    segmentation = [[4, 5, 14, 5, 14, 13, 4, 13]]
    return simple_coco(tmp_path_factory.mktemp("coco") / "data", count=4, segmentation=segmentation, area=80, iscrowd=0)


def coco_report(root: Path, content: bytes) -> Report | None:
    path = root / "annotations/instances_val2017.json"
    whole = path.read_bytes()
    try:
        path.write_bytes(content)
        return rows_of(coco.Config(root=str(root), train=""), "val")
    finally:
        path.write_bytes(whole)


@fuzz(800)
@given(data=st.data())
def test_coco_entries(coco_root: Path, data: st.DataObject):
    whole = json.loads((coco_root / "annotations/instances_val2017.json").read_bytes())
    tree = data.draw(damaged_tree(whole))
    report = coco_report(coco_root, json.dumps(tree).encode())
    if report is not None:
        assert report.images.seen == len(tree["images"])
        assert report.boxes.seen == len(tree["annotations"])


@fuzz(500)
@given(data=st.data())
def test_coco_bytes(coco_root: Path, data: st.DataObject):
    whole = (coco_root / "annotations/instances_val2017.json").read_bytes()
    content = data.draw(damaged_bytes(whole))
    report = coco_report(coco_root, content)
    if report is not None:
        tree = json.loads(content.decode("utf-8-sig", "replace"), strict=False)
        assert report.images.seen == len(tree["images"])
        assert report.boxes.seen == len(tree["annotations"])


@pytest.fixture(scope="module")
def voc_year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    objects = [{"name": "dog", "box": (3, 4, 20, 30), "flags": ("difficult",)}, {"name": "cat", "box": (1, 1, 50, 40)}]
    year = tmp_path_factory.mktemp("voc") / "data"
    write_voc(year, {"a": voc_xml((50, 40), objects, "a.jpg")}, {"train": ["a"]})
    return year


@fuzz(500)
@given(data=st.data())
def test_voc_bytes(voc_year: Path, data: st.DataObject):
    path = voc_year / "Annotations/a.xml"
    whole = path.read_bytes()
    try:
        path.write_bytes(data.draw(damaged_bytes(whole)))
        report = Report()
        rows = list(voc.VocChunk(((voc_year, "a"),), {"dog": 0, "cat": 1}, 1).rows(report))
    finally:
        path.write_bytes(whole)
    report.check()
    assert (report.images.seen, report.images.kept) == (1, len(rows))


@fuzz(300)
@given(data=st.data())
def test_yolo_bytes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    root = tmp_path_factory.getbasetemp() / "yolo"
    text = b"1 0.5 0.5 0.2 0.4\n0 0.1 0.2 0.3 0.2 0.3 0.6 0.1 0.6\n"
    if not root.exists():
        write_yolo(root, {"a": text.decode()})
    content = data.draw(damaged_bytes(text))
    (root / "labels/train/a.txt").write_bytes(content)
    report = Report()
    chunk = yolo.YoloChunk(((root / "images/train/a.png", "a"),), (0, 1), 1)
    rows = list(chunk.rows(report))
    report.check()
    assert len(rows) == 1
    assert report.boxes.seen == sum(bool(line.strip()) for line in content.decode("utf-8", "replace").splitlines())


@fuzz(200)
@given(data=st.data())
def test_cityscapes_polygons(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    root = tmp_path_factory.getbasetemp() / "cityscapes"
    polygon = [[5, 10], [34, 10], [34, 19], [5, 19]]
    labels = ("road", "car", "cargroup", "person")
    tree = {"imgWidth": 80, "imgHeight": 40, "objects": [{"label": label, "polygon": polygon} for label in labels]}
    if not root.exists():
        write_cityscapes(root, "ulm/a", None, tree)
    path = root / "gtFine/val/ulm/a_gtFine_polygons.json"
    path.write_text(json.dumps(data.draw(damaged_tree(tree))))
    report = Report()
    rows = list(cityscapes.CityscapesChunk(root, "val", ("ulm/a",), 1).rows(report))
    report.check()
    assert (report.images.seen, report.images.kept) == (1, len(rows))


FORMS = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("WEBP", {}),
    ("BMP", {}),
    ("TIFF", {}),
    ("GIF", {}),
]


@pytest.mark.parametrize(("form", "options"), FORMS)
@fuzz(100)
@given(data=st.data())
def test_image_bytes(form: str, options: dict[str, Any], data: st.DataObject):
    """An image that is kept can be decoded to its size, or decoding says that it cannot."""
    content = data.draw(damaged_bytes(encoded(picture(40, 30), form, **options)))
    report = Report()
    row = to_row(Record("a", 1, image=content), report)
    report.check()
    if row is not None:
        with suppress(UserError):
            assert decode(row.image, row.orientation).shape == (3, row.height, row.width)
