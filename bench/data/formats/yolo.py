"""YOLO data sets: data.yaml, images, and a text file of labels beside each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from bench.data.chunks.yolo import YoloChunk, label_path
from bench.data.converting.report import Report, structural
from bench.data.converting.source import Chunk, Source
from bench.data.formats import DataConfig
from bench.data.paths import IMAGE_SUFFIXES, files_key
from bench.data.store.manifest import ClassName
from bench.errors import UserError

ROLES = {"train": ("train",), "val": ("val", "valid"), "test": ("test",)}


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig):
    """`file` is the YAML file, relative to `root`; it names the splits and the classes."""

    root: str
    file: str = "data.yaml"

    layout: ClassVar[str] = "data.yaml with `names` and `train`, images and labels folders"

    @classmethod
    def find(cls, path: Path) -> "Config | None":
        files = [path] if path.is_file() and path.suffix in (".yaml", ".yml") else sorted(path.glob("*.y*ml"))
        for file in files:
            config = cls(root=str(file.parent), file=file.name)
            try:
                if {"names", "train"} <= config.tree().keys():
                    return config
            except UserError:
                continue
        return None

    def tree(self) -> dict[str, Any]:
        """The content of the YAML file."""
        path = Path(self.root).expanduser() / self.file
        try:
            with structural(path):
                tree = yaml.safe_load(path.read_text("utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"not readable as YAML ({str(error).splitlines()[0]})", where=str(path)) from None
        if not isinstance(tree, dict):
            raise UserError("should be a mapping with `names` and `train`", where=str(path))
        return tree

    def splits(self) -> tuple[str, ...]:
        tree = self.tree()
        return tuple(role for role, keys in ROLES.items() if any(tree.get(key) for key in keys))

    def build(self, split: str) -> Source:
        return YoloSource(Path(self.root).expanduser().resolve(), self.tree(), split, self.file)


class YoloSource(Source):
    def __init__(self, root: Path, tree: dict[str, Any], split: str, file: str) -> None:
        self.root, self.split, self.found, self.where = root, split, Report(), str(root / file)
        self.classes = _classes(tree.get("names"), self.where)
        entry = next(tree[key] for key in ROLES[split] if tree.get(key))
        self.places = [self._place(tree, one) for one in (entry if isinstance(entry, list) else [entry])]
        self.images = self._listed()
        self._report_orphans()

    def __len__(self) -> int:
        return len(self.images)

    def chunk(self, start: int, stop: int) -> Chunk:
        named = tuple((path, _name(path, self.root)) for path in self.images[start:stop])
        return YoloChunk(named, tuple(item.source_id for item in self.classes), start + 1)

    def key(self) -> Any:
        return [[item.name for item in self.classes], files_key([*self.places, *self._label_folders()])]

    def _place(self, tree: dict[str, Any], entry: Any) -> Path:
        """A folder or a list, relative to `path` or to the YAML file; exports often write one `../` too many."""
        if not isinstance(entry, str):
            raise UserError(f"split {self.split!r} should be a path", where=self.where)
        base = self.root / str(tree.get("path") or ".")
        plain = entry.removeprefix("../").removeprefix("./")
        for place in (base / entry, self.root / entry, self.root / plain):
            if place.exists():
                return place.resolve()
        raise UserError(f"split {self.split!r}: there is no {entry!r}", where=self.where, remedy="mend the path")

    def _listed(self) -> list[Path]:
        found: dict[Path, None] = {}
        for place in self.places:
            for path in _images_of(place):
                if path in found:
                    self.found.images.seen += 1
                    self.found.drop_image("image is listed twice", _name(path, self.root))
                found[path] = None
        return list(found)

    def _label_folders(self) -> list[Path]:
        return sorted({label_path(path).parent for path in self.images})

    def _report_orphans(self) -> None:
        """Labels in the split's own folders that no image goes with."""
        if any(place.is_file() for place in self.places):
            return
        known = {label_path(path) for path in self.images}
        for path in (file for folder in self._label_folders() for file in sorted(folder.glob("*.txt"))):
            if path not in known and path.name not in ("classes.txt", "labels.txt"):
                for number, line in enumerate(path.read_text("utf-8", "replace").splitlines()):
                    if line.strip():
                        self.found.boxes.seen += 1
                        self.found.drop_box(
                            "annotation of an image that does not exist", f"{path.name} line {number + 1}"
                        )


def _images_of(place: Path) -> list[Path]:
    if place.is_dir():
        return sorted(path for path in place.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    with structural(place):
        lines = place.read_text("utf-8", "replace").splitlines()
    return [(place.parent / line.strip()).resolve() for line in lines if line.strip()]


def _name(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name


def _classes(names: Any, where: str) -> tuple[ClassName, ...]:
    """Names as a list or as a mapping from number to name."""
    pairs = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(pairs, dict) or not pairs or not all(isinstance(key, int) for key in pairs):
        raise UserError("`names` should be a list, or a mapping from class number to name", where=where)
    return tuple(ClassName(str(pairs[key]), key) for key in sorted(pairs))
