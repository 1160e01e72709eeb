"""Some images of Cityscapes: instances from the id image, or drawn from the polygons where it is missing."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bench.data.converting.encoded import BadImage, inspect
from bench.data.converting.masks import of_pixels
from bench.data.converting.record import Object, Record, read_image, to_row
from bench.data.converting.report import Report
from bench.data.converting.source import Chunk
from bench.data.store.row import Row

# The label ids of Cityscapes for the classes that have instances and are scored.
THINGS = {"person": 24, "rider": 25, "car": 26, "truck": 27, "bus": 28, "train": 31, "motorcycle": 32, "bicycle": 33}
PER_LABEL = 1000
MAX_POLYGON_BYTES = 64 * 2**20


@dataclass(frozen=True)
class CityscapesChunk(Chunk):
    """`images` are paths below leftImg8bit/<split>, without the suffix _leftImg8bit.png."""

    root: Path
    split: str
    images: tuple[str, ...]
    first_id: int

    def rows(self, report: Report) -> Iterator[Row]:
        for number, name in enumerate(self.images, self.first_id):
            row = to_row(record(self.root, self.split, name, number), report)
            if row is not None:
                yield row


def record(root: Path, split: str, name: str, number: int) -> Record:
    image = root / "leftImg8bit" / split / f"{name}_leftImg8bit.png"
    found = Record(source_id=name, image_id=number, path=image)
    try:
        ids = instance_ids(root / "gtFine" / split, name)
    except BadImage as error:
        found.problem = f"annotation: {error}"
        return found
    found.size = (ids.shape[1], ids.shape[0])
    found.objects = objects(ids, name)
    return found


def objects(ids: NDArray[np.int32], name: str) -> list[Object]:
    """One object an instance id; ids below 1000 are groups, one crowd a class. Parts apart are one object."""
    labels = list(THINGS.values())
    present = np.flatnonzero(np.bincount(ids.ravel()))
    wanted = [i for i in present.tolist() if (i // PER_LABEL if i >= PER_LABEL else i) in labels]
    found = []
    for which in wanted:
        mask = (ids == which).astype(np.uint8)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        crowd = which < PER_LABEL
        found.append(
            Object(
                where=f"{name} instance {which}",
                box=(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1),
                label=labels.index(which if crowd else which // PER_LABEL),
                area=int(mask.sum()),
                iscrowd=crowd,
                outline=partial(_outline, of_pixels(mask)),
            )
        )
    return found


def instance_ids(folder: Path, name: str) -> NDArray[np.int32]:
    """The id of every pixel: label * 1000 + count for instances, the label itself for groups."""
    picture = folder / f"{name}_gtFine_instanceIds.png"
    if not picture.is_file():
        return drawn_ids(_polygons(folder / f"{name}_gtFine_polygons.json"))
    data = read_image(picture)
    inspect(data)
    with Image.open(io.BytesIO(data)) as image:
        ids = np.asarray(image)
    if ids.ndim != 2 or ids.dtype.kind not in "iu" or ids.size == 0 or ids.min() < 0 or ids.max() >= 2**16:
        raise BadImage("not an image of instance ids")
    return ids.astype(np.int32)


def drawn_ids(tree: dict[str, Any]) -> NDArray[np.int32]:
    """Polygons drawn in their order, so that later ones hide earlier ones as in the id images."""
    try:
        width, height, items = int(tree["imgWidth"]), int(tree["imgHeight"]), tree["objects"]
        if not 0 < width * height <= 2**27:
            raise BadImage("impossible size in the polygons")
        canvas = Image.new("I", (width, height))
        draw = ImageDraw.Draw(canvas)
        counts = dict.fromkeys(THINGS, 0)
        for item in items:
            if not item.get("deleted"):
                points = [(float(x), float(y)) for x, y in item["polygon"]]
                if len(points) >= 2:
                    draw.polygon(points, fill=_next_id(item["label"], counts))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, MemoryError) as error:
        raise error if isinstance(error, BadImage) else BadImage("malformed polygons") from None
    return np.asarray(canvas).astype(np.int32)


def _next_id(label: Any, counts: dict[str, int]) -> int:
    """The id to draw with; what is no thing covers what lies behind it with 0."""
    if label in counts:
        counts[label] += 1
        return THINGS[label] * PER_LABEL + counts[label] - 1
    return THINGS.get(str(label).removesuffix("group"), 0)


def _polygons(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_POLYGON_BYTES:
            raise BadImage("polygons larger than 64 MiB")
        tree = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadImage("file is missing") from None
    except (OSError, ValueError, RecursionError) as error:
        raise error if isinstance(error, BadImage) else BadImage("polygons are not readable as JSON") from None
    if not isinstance(tree, dict):
        raise BadImage("malformed polygons")
    return tree


def _outline(counts: bytes, width: int, height: int) -> bytes:
    return counts
