"""Synthetic scenes as records of a data set."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.data.record import Object, Record, mask_of_pixels, to_row
from bench.data.report import Report
from bench.data.row import Row
from bench.data.scenes.draws import Draws
from bench.data.scenes.png import encode
from bench.data.scenes.scene import Style, draw
from bench.data.source import Chunk


@dataclass(frozen=True)
class SyntheticChunk(Chunk):
    style: Style
    seed: int
    split: str
    start: int
    stop: int

    def rows(self, report: Report) -> Iterator[Row]:
        for index in range(self.start, self.stop):
            row = to_row(scene_record(self.style, self.seed, self.split, index), report)
            if row is not None:
                yield row


def scene_record(style: Style, seed: int, split: str, index: int) -> Record:
    """Scene `index` of a split; scenes do not depend on how many there are."""
    scene = draw(style, Draws(seed, split, index))
    name = f"{split}-{index:06d}"
    objects = [
        Object(f"{name}#{i}", box, label, area=int(mask.sum()), mask=mask_of_pixels(mask))
        for i, (box, label, mask) in enumerate(zip(scene.boxes, scene.labels, scene.masks, strict=True))
    ]
    return Record(name, index + 1, image=encode(scene.pixels), size=(style.size, style.size), objects=objects)
