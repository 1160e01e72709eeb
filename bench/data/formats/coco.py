"""COCO instances files: an index of byte ranges is all that is kept of them in memory."""

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.data.chunks.coco import CocoChunk, file_names, hashable
from bench.data.converting.json_stream import entries
from bench.data.converting.report import Report
from bench.data.converting.source import Chunk, Source
from bench.data.formats import DataConfig
from bench.data.paths import files_key, inside
from bench.data.store.manifest import ClassName
from bench.errors import UserError

OTHER_TASKS = ("captions_", "person_keypoints_", "stuff_", "panoptic_", "image_info_")
PROBES = 25


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig):
    """`train`, `val` and `test` name the annotation files, relative to `root`; "" for none."""

    root: str
    train: str = "annotations/instances_train2017.json"
    val: str = "annotations/instances_val2017.json"
    test: str = ""

    layout: ClassVar[str] = "annotations/*.json, or <split>/_annotations.coco.json, or one instances JSON file"

    @classmethod
    def find(cls, path: Path) -> "Config | None":
        if path.is_file():
            named = {"train": "", "val": "", _role(path) or "train": path.name}
            return cls(root=str(path.parent), **named) if path.suffix == ".json" else None
        files = [*path.glob("annotations/*.json"), *path.glob("*/_annotations.coco.json")]
        found = {role: str(file.relative_to(path)) for file in sorted(files) if (role := _role(file))}
        return cls(root=str(path), **{"train": "", "val": "", **found}) if found else None

    def splits(self) -> tuple[str, ...]:
        return tuple(role for role in ("train", "val", "test") if getattr(self, role))

    def build(self, split: str) -> Source:
        return CocoSource(Path(self.root).expanduser().resolve(), getattr(self, split), split)


class CocoSource(Source):
    def __init__(self, root: Path, file: str, split: str) -> None:
        self.root, self.path, self.split, self.found = root, root / file, split, Report()
        ids: dict[Any, int] = {}
        images, annotations, categories = array("q"), array("q"), []
        for key, value, start, stop in entries(self.path, ("images", "annotations", "categories")):
            if key == "categories":
                categories.append(value)
            elif key == "images":
                name = _id(value, "id")
                if name is None:
                    self._drop_image("image entry has no usable id", f"byte {start}")
                else:
                    images.extend((ids.setdefault(name, len(ids)), start, stop))
            elif key == "annotations":
                name = _id(value, "image_id")
                if name is None:
                    self._drop_box("annotation names no image", f"annotation at byte {start}")
                else:
                    annotations.extend((ids.setdefault(name, len(ids)), start, stop))
        self.classes, self.labels = _classes(categories, self.path)
        self.images = self._without_repeats(_table(images), list(ids))
        self.annotations, self.offsets = self._by_image(_table(annotations), len(ids))
        self.numbered = not all(isinstance(name, int) and 0 <= name < 2**63 for name in _names(self.images, ids))
        self.folder = self._image_folder()

    def __len__(self) -> int:
        return len(self.images)

    def chunk(self, start: int, stop: int) -> Chunk:
        first, last = self.offsets[start], self.offsets[stop]
        return CocoChunk(
            path=self.path,
            folder=self.folder,
            images=self.images[start:stop, 1:],
            annotations=self.annotations[first:last, 1:],
            offsets=self.offsets[start : stop + 1] - first,
            labels=self.labels,
            first_id=start + 1 if self.numbered else None,
        )

    def key(self) -> Any:
        return files_key([self.path, self.folder])

    def _drop_image(self, reason: str, where: str) -> None:
        self.found.images.seen += 1
        self.found.drop_image(reason, where)

    def _drop_box(self, reason: str, where: str) -> None:
        self.found.boxes.seen += 1
        self.found.drop_box(reason, where)

    def _without_repeats(self, images: NDArray[np.int64], names: list[Any]) -> NDArray[np.int64]:
        """The first image of every id, in the order of the file."""
        _, first = np.unique(images[:, 0], return_index=True)
        keep = np.zeros(len(images), bool)
        keep[first] = True
        for which in images[~keep, 0].tolist():
            self._drop_image("image id appears twice", f"image {names[which]}")
        return images[keep]

    def _by_image(self, annotations: NDArray[np.int64], ids: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Annotations in the order of their images, and where those of each image begin."""
        place = np.full(ids, -1)
        place[self.images[:, 0]] = np.arange(len(self.images))
        owner = place[annotations[:, 0]]
        for start in annotations[owner < 0, 1].tolist():
            self._drop_box("annotation of an image that does not exist", f"annotation at byte {start}")
        order = np.argsort(owner, kind="stable")[np.count_nonzero(owner < 0) :]
        counts = np.bincount(owner[owner >= 0], minlength=len(self.images))
        return annotations[order], np.concatenate([[0], np.cumsum(counts)])

    def _image_folder(self) -> Path:
        """Where the images lie: the likeliest place that has some of the first ones."""
        name = self.path.stem.removeprefix("instances_")
        places = [self.root / name, self.root / "images" / name, self.root / "images", self.path.parent, self.root]
        places += [self.root / self.split, self.root / "images" / self.split]
        names = file_names(self.path, self.images[:PROBES, 1:])
        hits = [sum(1 for n in names if (path := inside(place, n)) and path.is_file()) for place in places]
        return places[int(np.argmax(hits))]


def _role(file: Path) -> str:
    """Which split an annotation file is of, by its name or its folder's; "" for other tasks and other names."""
    name = file.parent.name if file.name == "_annotations.coco.json" else file.stem
    roles = (role for role in ("train", "val", "test") if name.removeprefix("instances_").startswith(role))
    return "" if name.startswith(OTHER_TASKS) else next(roles, "")


def _id(value: Any, key: str) -> Any:
    return hashable(value.get(key)) if isinstance(value, dict) else None


def _table(numbers: "array[int]") -> NDArray[np.int64]:
    return np.frombuffer(numbers, np.int64).reshape(-1, 3) if numbers else np.zeros((0, 3), np.int64)


def _names(images: NDArray[np.int64], ids: dict[Any, int]) -> list[Any]:
    names = list(ids)
    return [names[which] for which in images[:, 0].tolist()]


def _classes(categories: list[Any], path: Path) -> tuple[tuple[ClassName, ...], dict[Any, int]]:
    """Classes by rising id, so that labels do not depend on the order of the file."""
    found: dict[int, str] = {}
    for item in categories:
        number = _id(item, "id")
        if not isinstance(number, int) or not isinstance(item.get("name"), str):
            raise UserError(f"category {item!r:.80} lacks an integer id or a name", where=str(path), remedy="add it")
        if number in found:
            raise UserError(f"two categories have the id {number}", where=str(path), remedy="give each its own")
        found[number] = item["name"]
    if not found:
        raise UserError("has no categories", where=str(path), remedy="list the classes under 'categories'")
    classes = tuple(ClassName(found[number], number) for number in sorted(found))
    return classes, {item.source_id: label for label, item in enumerate(classes)}
