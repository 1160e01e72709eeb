"""Some images of a YOLO data set: one text file an image, with fractions of the image's sides."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.data.converting.masks import of_polygons
from bench.data.converting.record import Object, Record, to_row
from bench.data.converting.report import Report
from bench.data.converting.source import Chunk
from bench.data.store.row import Row


@dataclass(frozen=True)
class YoloChunk(Chunk):
    """`images` are (path, source id); class numbers are indices into `classes` class ids."""

    images: tuple[tuple[Path, str], ...]
    classes: tuple[int, ...]
    first_id: int

    def rows(self, report: Report) -> Iterator[Row]:
        for number, (path, name) in enumerate(self.images, self.first_id):
            row = to_row(record(path, name, number, self.classes, report), report)
            if row is not None:
                yield row


def label_path(image: Path) -> Path:
    """The label file of an image: the last folder `images` becomes `labels`, the suffix .txt."""
    parts = list(image.with_suffix(".txt").parts)
    for i in range(len(parts) - 2, -1, -1):
        if parts[i] == "images":
            parts[i] = "labels"
            break
    return Path(*parts)


def record(image: Path, name: str, number: int, classes: tuple[int, ...], report: Report) -> Record:
    found = Record(source_id=name, image_id=number, path=image, relative=True)
    path = label_path(image)
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        report.note("no label file: an image without objects", name)
        lines = []
    except OSError as error:
        found.problem = f"label file cannot be read ({error.strerror or error})"
        lines = []
    places = {class_id: label for label, class_id in enumerate(classes)}
    found.objects = [
        _object(line.split(), f"{path.name} line {i + 1}", places) for i, line in enumerate(lines) if line.strip()
    ]
    return found


def _object(words: list[str], where: str, places: dict[int, int]) -> Object:
    """Five numbers are class, centre and size; an odd number from seven on is a class and a polygon."""
    found = Object(where=where)
    try:
        class_id, *numbers = map(float, words)
    except ValueError:
        found.problem = "line is not made of numbers"
        return found
    found.label = places.get(int(class_id)) if class_id.is_integer() else None
    if len(numbers) == 4:
        x, y, width, height = numbers
        found.box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    elif len(numbers) >= 6 and len(numbers) % 2 == 0:
        found.box = (min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2]))
        found.outline = partial(_outline, numbers)
    else:
        found.problem = "line is neither a box nor a polygon"
    return found


def _outline(numbers: list[float], width: int, height: int) -> bytes:
    return of_polygons([[value * (height if i % 2 else width) for i, value in enumerate(numbers)]], width, height)
