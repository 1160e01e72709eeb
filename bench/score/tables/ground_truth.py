"""Ground truth as arrays: one entry an object over all images, from COCO JSON or from a data store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import UserError
from bench.score.tables.masks import Rle, to_rle

if TYPE_CHECKING:
    from bench.data.store import Store


@dataclass(frozen=True)
class GroundTruth:
    """I images and G objects. Sides are kept as widths and heights, as COCO has them: x2 - x1 would round them."""

    image_ids: np.ndarray
    """[I] int64, unique: the ids that detections in COCO JSON use; ties between images are broken by them"""
    sizes: np.ndarray
    """[I, 2] int64: width, height"""
    image: np.ndarray
    """[G] int64 index of the image"""
    xywh: np.ndarray
    """[G, 4] float64"""
    labels: np.ndarray
    """[G] int64 in 0..K-1"""
    area: np.ndarray
    """[G] float64, the source's own (of the mask, in COCO)"""
    iscrowd: np.ndarray
    difficult: np.ndarray
    class_names: tuple[str, ...]
    class_ids: tuple[int, ...]
    """the ids that detections in COCO JSON use"""
    masks: tuple[Rle | None, ...] | None = None
    source_ids: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_images(self) -> int:
        return len(self.image_ids)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @cached_property
    def boxes(self) -> np.ndarray:
        """[G, 4] float64 xyxy"""
        return np.concatenate([self.xywh[:, :2], self.xywh[:, :2] + self.xywh[:, 2:]], axis=1)

    @cached_property
    def image_rank(self) -> np.ndarray:
        """[I]: the place of each image when they are sorted by id."""
        return np.argsort(np.argsort(self.image_ids, kind="stable"), kind="stable")

    @classmethod
    def from_coco(cls, content: Any, where: str = "ground truth") -> GroundTruth:
        """From the content of a COCO annotation file; images are sorted by id, annotations keep their order."""
        images, annotations, categories = (_section(content, name, where) for name in _SECTIONS)
        images = sorted(images, key=lambda image: _field(image, "id", where, "image"))
        image_ids = _unique([image["id"] for image in images], where, "image")
        class_ids = sorted(_unique([_field(c, "id", where, "category") for c in categories], where, "category"))
        names = {category["id"]: str(category.get("name", category["id"])) for category in categories}
        sizes = [(int(image.get("width", 0)), int(image.get("height", 0))) for image in images]
        return cls(
            image_ids=np.array(image_ids, dtype=np.int64),
            sizes=np.array(sizes, dtype=np.int64).reshape(-1, 2),
            **_annotation_arrays(annotations, image_ids, class_ids, where),
            class_names=tuple(names[i] for i in class_ids),
            class_ids=tuple(class_ids),
            masks=_masks(annotations, image_ids, sizes, where),
            source_ids=tuple(str(image.get("file_name", image["id"])) for image in images),
        )

    @classmethod
    def from_store(cls, store: Store) -> GroundTruth:
        """From a data store: images are its rows, in their order."""
        rows = [store.annotations(i) for i in range(len(store))]
        boxes = _joined([row.boxes for row in rows], (0, 4), np.float64)
        masks = tuple(row.rle(i) if row.masks and row.masks[i] else None for row in rows for i in range(len(row)))
        return cls(
            image_ids=np.array([row.image_id for row in rows], dtype=np.int64),
            sizes=np.array([(row.width, row.height) for row in rows], dtype=np.int64).reshape(-1, 2),
            image=np.repeat(np.arange(len(rows)), [len(row) for row in rows]),
            xywh=np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1),
            labels=_joined([row.labels for row in rows], (0,), np.int64),
            area=_joined([row.area for row in rows], (0,), np.float64),
            iscrowd=_joined([row.iscrowd for row in rows], (0,), np.bool_),
            difficult=_joined([row.difficult for row in rows], (0,), np.bool_),
            class_names=tuple(store.class_names),
            class_ids=tuple(int(item.source_id) for item in store.manifest.classes),
            masks=masks if any(mask is not None for mask in masks) else None,
            source_ids=tuple(row.source_id for row in rows),
        )

    def only_classes(self, labels: Sequence[int]) -> GroundTruth:
        """The same images with the objects of some classes, which are numbered anew in the order given."""
        new = np.full(self.num_classes, -1)
        new[list(labels)] = np.arange(len(labels))
        kept = np.flatnonzero(new[self.labels] >= 0)
        return GroundTruth(
            image_ids=self.image_ids,
            sizes=self.sizes,
            image=self.image[kept],
            xywh=self.xywh[kept],
            labels=new[self.labels[kept]],
            area=self.area[kept],
            iscrowd=self.iscrowd[kept],
            difficult=self.difficult[kept],
            class_names=tuple(self.class_names[i] for i in labels),
            class_ids=tuple(self.class_ids[i] for i in labels),
            masks=None if self.masks is None else tuple(self.masks[i] for i in kept),
            source_ids=self.source_ids,
        )


_SECTIONS = ("images", "annotations", "categories")


def _section(content: Any, name: str, where: str) -> list[dict[str, Any]]:
    if not isinstance(content, Mapping) or not isinstance(content.get(name), list):
        raise UserError(
            f"has no list {name!r}", where=where, remedy="give COCO annotations: images, annotations and categories"
        )
    found: list[dict[str, Any]] = content[name]
    return found


def _field(record: Any, name: str, where: str, what: str) -> Any:
    if not isinstance(record, Mapping) or name not in record:
        shown = dict(list(record.items())[:4]) if isinstance(record, Mapping) else record
        raise UserError(f"the {what} {shown!r} has no {name!r}", where=where, remedy="add it")
    return record[name]


def _unique(ids: list[int], where: str, what: str) -> list[int]:
    seen: set[int] = set()
    for value in ids:
        if not isinstance(value, int) or isinstance(value, bool):
            raise UserError(f"the {what} id {value!r} is not an integer", where=where, remedy="number them")
        if value in seen:
            raise UserError(f"two records have the {what} id {value}", where=where, remedy="ids must be unique")
        seen.add(value)
    return ids


def _annotation_arrays(
    annotations: list[dict[str, Any]], image_ids: list[int], class_ids: list[int], where: str
) -> dict[str, np.ndarray]:
    index_of_image = {image_id: index for index, image_id in enumerate(image_ids)}
    index_of_class = {class_id: index for index, class_id in enumerate(class_ids)}
    seen: list[int] = [a["id"] for a in annotations if isinstance(a, Mapping) and "id" in a]
    _unique(seen, where, "annotation")
    images, labels, boxes, areas = [], [], [], []
    for annotation in annotations:
        images.append(_known(index_of_image, _field(annotation, "image_id", where, "annotation"), "image", where))
        category = _field(annotation, "category_id", where, "annotation")
        labels.append(_known(index_of_class, category, "category", where))
        boxes.append(_box(annotation, where))
        areas.append(float(annotation.get("area", boxes[-1][2] * boxes[-1][3])))
    return {
        "image": np.array(images, dtype=np.int64),
        "xywh": np.array(boxes, dtype=np.float64).reshape(-1, 4),
        "labels": np.array(labels, dtype=np.int64),
        "area": np.array(areas, dtype=np.float64),
        "iscrowd": np.array([bool(a.get("iscrowd", 0)) for a in annotations], dtype=bool),
        "difficult": np.array([bool(a.get("difficult", 0)) for a in annotations], dtype=bool),
    }


def _known(index: dict[int, int], value: Any, what: str, where: str) -> int:
    if value not in index:
        raise UserError(f"an annotation names the {what} {value!r}, which is not listed", where=where, remedy="list it")
    return index[value]


def _box(annotation: Mapping[str, Any], where: str) -> list[float]:
    box = _field(annotation, "bbox", where, "annotation")
    numbers = isinstance(box, list) and len(box) == 4 and all(isinstance(v, (int, float)) for v in box)
    if not numbers or not np.isfinite(box).all() or box[2] < 0 or box[3] < 0:
        shown = annotation.get("id", "?")
        raise UserError(f"annotation {shown} has the bbox {box!r}", where=where, remedy="give [x, y, width, height]")
    return [float(v) for v in box]


def _masks(
    annotations: list[dict[str, Any]], image_ids: list[int], sizes: list[tuple[int, int]], where: str
) -> tuple[Rle | None, ...] | None:
    if not any("segmentation" in annotation for annotation in annotations):
        return None
    size_of = dict(zip(image_ids, sizes, strict=True))
    return tuple(
        to_rle(annotation["segmentation"], *size_of[annotation["image_id"]], where=f"{where}: annotation {number}")
        if annotation.get("segmentation")
        else None
        for number, annotation in enumerate(annotations)
    )


def _joined(parts: list[Any], empty: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.concatenate([np.zeros(empty, dtype), *(np.asarray(part, dtype) for part in parts)])
