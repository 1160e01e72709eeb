"""PASCAL VOC devkits: one year or several joined, or a folder of the same layout with classes of its own."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bench.data.chunks.voc import BadXml, VocChunk, class_names, read_xml
from bench.data.converting.report import Report, structural
from bench.data.converting.source import Chunk, Source, label_of
from bench.data.formats import DataConfig
from bench.data.paths import files_key, inside
from bench.data.store.manifest import ClassName
from bench.errors import UserError

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig):
    """Image sets are "2007/trainval" in a devkit, "trainval" in a single year's folder; "all" is every annotation.

    Without `classes`, the twenty of VOC are taken where they suffice, else the names that the annotations use.
    """

    root: str
    train: tuple[str, ...] = ("2007/trainval", "2012/trainval")
    val: tuple[str, ...] = ("2007/test",)
    test: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    layout: ClassVar[str] = "VOC<year>/Annotations + JPEGImages (+ ImageSets/Main), or one such year"

    @classmethod
    def find(cls, path: Path) -> "Config | None":
        root = path / "VOCdevkit" if (path / "VOCdevkit").is_dir() else path
        years = sorted(year.name.removeprefix("VOC") for year in root.glob("VOC*") if (year / "Annotations").is_dir())
        if years:
            return cls(root=str(root), **_official(root, years))
        if not (root / "Annotations").is_dir():
            inner = (
                [child for child in sorted(root.iterdir()) if (child / "Annotations").is_dir()] if root.is_dir() else []
            )
            if len(inner) != 1:
                return None
            root = inner[0]
        if not any(root.glob("Annotations/*.xml")):
            return None
        return cls(root=str(root), **_single(root))

    def splits(self) -> tuple[str, ...]:
        return tuple(role for role in ("train", "val", "test") if getattr(self, role))

    def build(self, split: str) -> Source:
        return VocSource(self, split)


class VocSource(Source):
    def __init__(self, config: Config, split: str) -> None:
        self.root, self.split, self.found = Path(config.root).expanduser().resolve(), split, Report()
        self.sets = getattr(config, split)
        self.images = self._listed()
        every = [name for role in config.splits() for name in getattr(config, role)]
        names = config.classes or _names_in_use(self.root, every)
        self.classes = tuple(ClassName(name, i + 1) for i, name in enumerate(names))

    def __len__(self) -> int:
        return len(self.images)

    def chunk(self, start: int, stop: int) -> Chunk:
        return VocChunk(tuple(self.images[start:stop]), label_of(self.classes), start + 1)

    def key(self) -> Any:
        years = {year for year, _ in (year_and_set(self.root, name) for name in self.sets)}
        return files_key(sorted(year / part for year in years for part in ("Annotations", "ImageSets", "JPEGImages")))

    def _listed(self) -> list[tuple[Path, str]]:
        """The images of all sets, each once."""
        found: dict[tuple[Path, str], None] = {}
        for image_set in self.sets:
            year, _ = year_and_set(self.root, image_set)
            for name in image_names(self.root, image_set):
                if (year, name) in found:
                    self.found.images.seen += 1
                    self.found.drop_image("image is listed twice", name)
                found[year, name] = None
        return list(found)


def year_and_set(root: Path, image_set: str) -> tuple[Path, str]:
    year, _, name = image_set.rpartition("/")
    return (root / f"VOC{year}" if year else root), name


def image_names(root: Path, image_set: str) -> list[str]:
    """The names that a list in ImageSets/Main has; some lists carry a 1 or -1 behind each."""
    year, name = year_and_set(root, image_set)
    path = year / "ImageSets" / "Main" / f"{name}.txt"
    if name == "all" and not path.is_file():
        return sorted(file.stem for file in (year / "Annotations").glob("*.xml"))
    with structural(path):
        lines = [line.strip() for line in path.read_text("utf-8", "replace").splitlines()]
    return [_without_flag(year, line) for line in lines if line]


def _without_flag(year: Path, line: str) -> str:
    found = re.fullmatch(r"(.*\S)\s+-?[01]", line)
    whole = inside(year / "Annotations", f"{line}.xml")
    return found[1] if found and not (whole and whole.is_file()) else line


def _names_in_use(root: Path, image_sets: list[str]) -> Sequence[str]:
    """The same list for every split, whichever is converted first."""
    found: set[str] = set()
    for year in sorted({year_and_set(root, name)[0] for name in image_sets}):
        for path in sorted((year / "Annotations").glob("*.xml")):
            try:
                found |= class_names(read_xml(path))
            except BadXml:
                continue
            if len(found) == len(CLASSES) and found == set(CLASSES):
                return CLASSES
    if not found:
        raise UserError(
            "no annotation names a class", where=str(root), remedy="is this the folder of a year or a devkit?"
        )
    return CLASSES if found <= set(CLASSES) else sorted(found)


def _official(root: Path, years: list[str]) -> dict[str, tuple[str, ...]]:
    """Training on all trainval, validation on test where its annotations are there, as the papers do."""

    def having(name: str) -> tuple[str, ...]:
        return tuple(f"{year}/{name}" for year in years if (root / f"VOC{year}/ImageSets/Main/{name}.txt").is_file())

    if having("trainval") and having("test"):
        return {"train": having("trainval"), "val": having("test")}
    return {"train": having("train"), "val": having("val")}


def _single(root: Path) -> dict[str, tuple[str, ...]]:
    there = {path.stem for path in root.glob("ImageSets/Main/*.txt")}
    if {"train", "val"} <= there:
        return {"train": ("train",), "val": ("val",), "test": ("test",) if "test" in there else ()}
    if {"trainval", "test"} <= there:
        return {"train": ("trainval",), "val": ("test",)}
    return {"train": ("all",), "val": ()}
