"""Some images of a VOC devkit: one XML file an image."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data.converting.record import Object, Record, to_row
from bench.data.converting.report import Report
from bench.data.converting.source import Chunk
from bench.data.paths import IMAGE_SUFFIXES, inside
from bench.data.store.row import Row

MAX_XML_BYTES = 16 * 2**20


class BadXml(ValueError):
    """An annotation file that cannot be used; the message is the reason as reports print it."""


@dataclass(frozen=True)
class VocChunk(Chunk):
    """`images` are (folder of a year, image name); image ids count on from `first_id`."""

    images: tuple[tuple[Path, str], ...]
    labels: dict[str, int]
    first_id: int

    def rows(self, report: Report) -> Iterator[Row]:
        for number, (year, name) in enumerate(self.images, self.first_id):
            row = to_row(record(year, name, self.labels, number), report)
            if row is not None:
                yield row


def record(year: Path, name: str, labels: dict[str, int], number: int) -> Record:
    """What the annotation of an image says. Names of other years may be the same, so the year is part of the id."""
    found = Record(source_id=f"{year.name}/{name}" if year.name.startswith("VOC") else name, image_id=number)
    path = inside(year / "Annotations", f"{name}.xml")
    try:
        root = read_xml(path)
    except BadXml as error:
        found.problem = str(error)
        return found
    found.path = _image_path(year, name, root)
    found.size = _size(root)
    found.objects = [
        _object(item, f"{name}.xml object {i + 1}", labels) for i, item in enumerate(root.findall("object"))
    ]
    return found


def read_xml(path: Path | None) -> ElementTree.Element:
    """The root of an annotation file. Document types are refused: annotations need none, attacks by entities do."""
    try:
        if path is None or not path.is_file():
            raise BadXml("annotation file is missing")
        if path.stat().st_size > MAX_XML_BYTES:
            raise BadXml("annotation file is larger than 16 MiB")
        content = path.read_bytes()
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content:
            raise BadXml("annotation file declares a document type or entities")
        return ElementTree.fromstring(content)
    except OSError as error:
        raise BadXml(f"annotation file cannot be read ({error.strerror or error})") from None
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise error if isinstance(error, BadXml) else BadXml("annotation file is not well-formed XML") from None


def class_names(root: ElementTree.Element) -> set[str]:
    return {name for item in root.findall("object") if (name := _text(item, "name"))}


def _object(item: ElementTree.Element, where: str, labels: dict[str, int]) -> Object:
    """Pixels counted from 1, both ends included, become continuous edges; what is empty as written is refused."""
    found = Object(
        where=where,
        label=labels.get(_text(item, "name")),
        difficult=_text(item, "difficult") == "1",
        truncated=_text(item, "truncated") == "1",
        occluded=_text(item, "occluded") == "1",
    )
    box = item.find("bndbox")
    if box is None:
        return found
    written: list[Any] = [_text(box, name) for name in ("xmin", "ymin", "xmax", "ymax")]
    try:
        x1, y1, x2, y2 = map(float, written)
    except ValueError:
        found.box = written
        return found
    if x2 <= x1 or y2 <= y1:
        found.problem = "box is degenerate (xmax <= xmin or ymax <= ymin)"
    found.box = (x1 - 1, y1 - 1, x2, y2)
    return found


def _text(item: ElementTree.Element, name: str) -> str:
    return (item.findtext(name) or "").strip()


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    """The size that the file gives; many tools write zeros, which say nothing."""
    try:
        width, height = int(_text(root, "size/width")), int(_text(root, "size/height"))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None


def _image_path(year: Path, name: str, root: ElementTree.Element) -> Path | None:
    """The image of the same name, with any suffix, or the one that the annotation names."""
    folder = year / "JPEGImages"
    candidates = [inside(folder, f"{name}{suffix}") for suffix in IMAGE_SUFFIXES]
    candidates.append(inside(folder, _text(root, "filename")))
    return next((path for path in candidates if path is not None and path.is_file()), None)
