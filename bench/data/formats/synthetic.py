"""Synthetic scenes made on the spot: seed and size decide them, byte for byte."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge

from bench.data.chunks.synthetic import SyntheticChunk
from bench.data.converting.report import Report
from bench.data.converting.source import Chunk, Source
from bench.data.formats import DataConfig
from bench.data.scenes.scene import Style
from bench.data.scenes.shapes import SHAPES
from bench.data.store.manifest import ClassName
from detectors.config import Count, Unit

PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"size": 128, "classes": 3, "train": 400, "val": 100, "objects": (1, 5)},
    "small": {"size": 256, "classes": 6, "train": 2000, "val": 500, "objects": (2, 12)},
}


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig):
    """`preset` decides what is not given: side in pixels, number of classes, of images, of objects an image."""

    preset: Literal["tiny", "small"] = "tiny"
    size: Count | None = None
    classes: Count | None = None
    train: Count | None = None
    val: Count | None = None
    max_objects: Count | None = None
    difficulty: Unit = 0.5
    seed: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        if self.classes is not None and self.classes > len(SHAPES):
            raise ValueError(f"classes: {self.classes} is more than there are; choose 1 to {len(SHAPES)}")
        if self.size is not None and not 32 <= self.size <= 4096:
            raise ValueError(f"size: {self.size} is no side for a scene; choose 32 to 4096")

    def splits(self) -> tuple[str, ...]:
        return ("train", "val")

    def build(self, split: str) -> Source:
        return SyntheticSource(self, split)

    def count(self, split: str) -> int:
        """How many images a split has."""
        own = {"train": self.train, "val": self.val}[split]
        return own if own is not None else int(PRESETS[self.preset][split])

    def style(self) -> Style:
        preset = PRESETS[self.preset]
        low, high = preset["objects"]
        high = self.max_objects or high
        return Style(
            size=self.size or preset["size"],
            classes=self.classes or preset["classes"],
            objects=(min(low, high), high),
            difficulty=round(self.difficulty * 100),
        )


class SyntheticSource(Source):
    def __init__(self, config: Config, split: str) -> None:
        self.config, self.split, self.found = config, split, Report()
        self.classes = tuple(ClassName(shape.name, i + 1) for i, shape in enumerate(SHAPES[: config.style().classes]))

    def __len__(self) -> int:
        return self.config.count(self.split)

    def chunk(self, start: int, stop: int) -> Chunk:
        return SyntheticChunk(self.config.style(), int(self.config.seed), self.split, start, stop)

    def key(self) -> Any:
        return {"style": asdict(self.config.style()), "seed": self.config.seed}
