"""Cityscapes: leftImg8bit and gtFine, the eight classes that have instances."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bench.data.chunks.cityscapes import THINGS, CityscapesChunk
from bench.data.converting.report import Report
from bench.data.converting.source import Chunk, Source
from bench.data.formats import DataConfig
from bench.data.paths import files_key
from bench.data.store.manifest import ClassName

SUFFIX = "_leftImg8bit.png"


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig):
    """The folder that holds leftImg8bit and gtFine."""

    root: str

    layout: ClassVar[str] = "leftImg8bit/<split>/<city>/*_leftImg8bit.png and gtFine/<split>/<city>"

    @classmethod
    def find(cls, path: Path) -> "Config | None":
        return cls(root=str(path)) if (path / "leftImg8bit").is_dir() and (path / "gtFine").is_dir() else None

    def splits(self) -> tuple[str, ...]:
        """The splits with annotations; those of `test` are empty and not published."""
        root = Path(self.root).expanduser()
        return tuple(name for name in ("train", "val") if (root / "leftImg8bit" / name).is_dir())

    def build(self, split: str) -> Source:
        return CityscapesSource(Path(self.root).expanduser().resolve(), split)


class CityscapesSource(Source):
    def __init__(self, root: Path, split: str) -> None:
        self.root, self.split, self.found = root, split, Report()
        self.classes = tuple(ClassName(name, number) for name, number in THINGS.items())
        self.folder = root / "leftImg8bit" / split
        self.images = sorted(
            str(path.relative_to(self.folder)).removesuffix(SUFFIX) for path in self.folder.glob(f"*/*{SUFFIX}")
        )

    def __len__(self) -> int:
        return len(self.images)

    def chunk(self, start: int, stop: int) -> Chunk:
        return CityscapesChunk(self.root, self.split, tuple(self.images[start:stop]), start + 1)

    def key(self) -> Any:
        return files_key([self.folder, self.root / "gtFine" / self.split])
