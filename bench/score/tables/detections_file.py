"""Detections on disk: our Parquet file, and COCO results JSON in and out."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import UserError
from bench.score.tables import masks as rles
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from bench.score.tables.parquet import counts_of, flat_column, list_column, open_parquet, read_table, with_header

FORM, VERSION = "detections", 1
COLUMNS = ("image", "boxes", "scores", "labels")


def read_detections(path: Path, truth: GroundTruth) -> Detections:
    """From a `.parquet` or a `.json` file, checked against the images and classes of the ground truth."""
    if path.suffix == ".parquet":
        return read_parquet(path, truth.num_images).checked(truth.num_classes)
    return from_coco_results(_load_json(path), truth, where=str(path))


def write_parquet(path: Path, detections: Detections, *, dtype: Any = np.float32, **header: Any) -> None:
    """One row an image. Numbers that came as float64, from JSON, are kept so with dtype=np.float64."""
    order = np.argsort(detections.image, kind="stable")
    sorted_ = detections.select(order)
    counts = np.bincount(sorted_.image, minlength=detections.num_images)
    columns: dict[str, Any] = {
        "image": pa.array(np.arange(detections.num_images)),
        "boxes": list_column(sorted_.boxes.astype(dtype), counts),
        "scores": list_column(sorted_.scores.astype(dtype), counts),
        "labels": list_column(sorted_.labels.astype(np.int32), counts),
    }
    if sorted_.cls is not None:
        columns["cls"] = list_column(sorted_.cls.astype(dtype), counts)
    for name, values in sorted_.quality.items():
        columns[f"quality.{name}"] = list_column(values.astype(dtype), counts)
    table = pa.table(columns)
    schema = with_header(table.schema, {"form": FORM, "version": VERSION, **header})
    part = path.with_name(path.name + ".part")
    pq.write_table(table.cast(schema), part, compression="zstd")
    part.replace(path)


def read_parquet(path: Path, num_images: int) -> Detections:
    file, _ = open_parquet(path, FORM, VERSION, COLUMNS)
    table = read_table(file, path)
    rows = table.column("image").to_numpy()
    _refuse_repeated(rows, path)
    qualities = [name for name in table.column_names if name.startswith("quality.")]
    return Detections.from_boxes(
        num_images,
        np.repeat(rows, counts_of(table)),
        flat_column(table, "boxes"),
        flat_column(table, "scores"),
        flat_column(table, "labels"),
        cls=flat_column(table, "cls").astype(np.float64) if "cls" in table.column_names else None,
        quality={name.removeprefix("quality."): flat_column(table, name).astype(np.float64) for name in qualities},
        where=str(path),
    )


def to_coco_results(detections: Detections, truth: GroundTruth) -> list[dict[str, Any]]:
    """What COCO's tools and its server read."""
    columns = (
        truth.image_ids[detections.image].tolist(),
        np.asarray(truth.class_ids)[detections.labels].tolist(),
        detections.xywh.tolist(),
        detections.scores.tolist(),
    )
    names = ("image_id", "category_id", "bbox", "score")
    return [dict(zip(names, record, strict=True)) for record in zip(*columns, strict=True)]


def from_coco_results(content: Any, truth: GroundTruth, where: str = "detections") -> Detections:
    """From the content of a results file; a record needs image_id, category_id, score, and bbox or segmentation."""
    if not isinstance(content, list):
        kind = type(content).__name__
        raise UserError(f"holds a {kind}, not a list of results", where=where, remedy="give COCO results JSON")
    first = content[0] if content and isinstance(content[0], dict) else {}
    masked = "segmentation" in first
    given = [name for name in ("bbox", "segmentation") if name in first] or ["bbox"]
    shape = (*given, "image_id", "category_id", "score")
    image, labels = _ids(content, shape, truth, where)
    masks = tuple(_mask(record, where, i) for i, record in enumerate(content)) if masked else None
    boxes = [record["bbox"] for record in content] if "bbox" in given else rles.boxes(list(masks or ()))
    try:
        xywh = np.array(boxes, dtype=np.float64).reshape(len(content), 4)
        scores = np.array([record["score"] for record in content], dtype=np.float64)
    except (ValueError, TypeError):
        raise UserError(_first_odd(content), where=where, remedy="bbox is [x, y, width, height]") from None
    found = Detections(truth.num_images, image, xywh, scores, labels, masks=masks, where=where)
    return found.checked(truth.num_classes)


def _ids(content: list[Any], shape: tuple[str, ...], truth: GroundTruth, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Image indices and labels of all results."""
    images = {int(image_id): index for index, image_id in enumerate(truth.image_ids)}
    classes = {class_id: label for label, class_id in enumerate(truth.class_ids)}
    try:
        found = [(images[record["image_id"]], classes[record["category_id"]]) for record in content]
    except (KeyError, TypeError, IndexError):
        raise UserError(_first_wrong(content, shape, images, classes), where=where) from None
    for name in shape:
        if any(name not in record for record in content):
            raise UserError(_first_wrong(content, shape, images, classes), where=where)
    repeated = [value for value, count in Counter(r["id"] for r in content if "id" in r).items() if count > 1]
    if repeated:
        raise UserError(
            f"two results have the id {repeated[0]}", where=where, remedy="ids are optional: leave them out"
        )
    pairs = np.array(found, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _first_wrong(content: list[Any], shape: tuple[str, ...], images: dict[int, int], classes: dict[int, int]) -> str:
    for number, record in enumerate(content):
        if not isinstance(record, dict):
            return f"result {number} is {record!r}, not an object"
        missing = [name for name in shape if name not in record]
        if missing:
            return f"result {number} lacks {', '.join(missing)}"
        for name, known in (("image_id", images), ("category_id", classes)):
            if not isinstance(record[name], int) or record[name] not in known:
                return f"result {number} has the {name} {record[name]!r}, which the data do not have"
    return "the results are not in COCO form"


def _first_odd(content: list[Any]) -> str:
    for number, record in enumerate(content):
        box = record.get("bbox")
        if "bbox" in record and not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
            return f"result {number} has the bbox {box!r}"
        if not _is_number(record["score"]):
            return f"result {number} has the score {record['score']!r}"
    return "the results hold values that are not numbers"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _mask(record: dict[str, Any], where: str, number: int) -> rles.Rle:
    segmentation = record["segmentation"]
    height, width = segmentation.get("size", (0, 0)) if isinstance(segmentation, dict) else (0, 0)
    return rles.to_rle(segmentation, width, height, where=f"{where}: result {number}")


def _load_json(path: Path) -> Any:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(error.strerror or "unreadable", where=str(path), remedy="check the path") from None
    if not text.strip():
        raise UserError("the file is empty", where=str(path), remedy="give COCO results JSON; [] means no detections")
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"not JSON ({error})", where=str(path), remedy="give COCO results JSON") from None


def _refuse_repeated(rows: np.ndarray, path: Path) -> None:
    values, counts = np.unique(rows, return_counts=True)
    if (counts > 1).any():
        raise UserError(f"image {values[counts.argmax()]} appears more than once", where=str(path))
