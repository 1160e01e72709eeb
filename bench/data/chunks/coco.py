"""Some images of a COCO instances file: reads only the bytes of their own entries."""

import json
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.converting.masks import of_segmentation
from bench.data.converting.record import Object, Record, to_row
from bench.data.converting.report import Report
from bench.data.converting.source import Chunk
from bench.data.paths import inside
from bench.data.store.row import Row

DECODER = json.JSONDecoder(strict=False)


@dataclass(frozen=True)
class CocoChunk(Chunk):
    """`images` and `annotations` are byte ranges [N, 2]; image i has annotations `offsets[i]` to `offsets[i + 1]`."""

    path: Path
    folder: Path
    images: NDArray[np.int64]
    annotations: NDArray[np.int64]
    offsets: NDArray[np.int64]
    labels: Mapping[Any, int]
    first_id: int | None

    def rows(self, report: Report) -> Iterator[Row]:
        with self.path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for i, span in enumerate(self.images):
                own = self.annotations[self.offsets[i] : self.offsets[i + 1]]
                record = self.record(entry(content, span), [entry(content, other) for other in own], i)
                row = to_row(record, report)
                if row is not None:
                    yield row

    def record(self, image: dict[str, Any], annotations: list[dict[str, Any]], i: int) -> Record:
        name = image.get("file_name")
        path = inside(self.folder, name)
        return Record(
            source_id=printable(name, f"image {image['id']}"),
            image_id=image["id"] if self.first_id is None else self.first_id + i,
            path=path,
            size=_size(image),
            objects=[self.object(annotation, name) for annotation in annotations],
            exact=True,
            problem="" if path else "image has no file name inside the data set's folder",
        )

    def object(self, annotation: dict[str, Any], name: Any) -> Object:
        return Object(
            where=f"annotation {annotation.get('id')} of {printable(name, 'an image')}",
            box=corners(annotation.get("bbox")),
            label=self.labels.get(hashable(annotation.get("category_id"))),
            area=annotation.get("area"),
            iscrowd=bool(annotation.get("iscrowd")),
            difficult=bool(annotation.get("ignore")),
            outline=partial(of_segmentation, annotation.get("segmentation")),
        )


def file_names(path: Path, images: NDArray[np.int64]) -> list[Any]:
    """The names of images as the file has them."""
    if not len(images):
        return []
    with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return [entry(content, span).get("file_name") for span in images]


def entry(content: mmap.mmap, span: NDArray[np.int64]) -> dict[str, Any]:
    found: dict[str, Any] = DECODER.decode(content[span[0] : span[1]].decode("utf-8", "replace"))
    return found


def hashable(value: Any) -> Any:
    """An id as JSON has it; None for what cannot be one."""
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def printable(name: Any, otherwise: str) -> str:
    """A name without the lone surrogates that JSON escapes can make."""
    return name.encode("utf-8", "replace").decode() if isinstance(name, str) and name else otherwise


def corners(bbox: Any) -> Any:
    """x, y, width, height as two corners; whatever is not that stays, and the check of boxes names it."""
    try:
        x, y, width, height = map(float, bbox)
    except (TypeError, ValueError, OverflowError):
        return bbox
    return x, y, x + width, y + height


def _size(image: dict[str, Any]) -> tuple[int, int] | None:
    width, height = image.get("width"), image.get("height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        return width, height
    return None
