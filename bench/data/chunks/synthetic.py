"""Synthetic scenes as records of a data set."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.data.converting.masks import of_pixels
from bench.data.converting.record import Object, Record, to_row
from bench.data.converting.report import Report
from bench.data.converting.source import Chunk
from bench.data.scenes.draws import Draws
from bench.data.scenes.png import encode
from bench.data.scenes.scene import Style, draw
from bench.data.store.row import Row


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
        Object(f"{name}#{i}", box, label, area=area, outline=partial(_outline, mask))
        for i, (box, label, area, mask) in enumerate(
            zip(scene.boxes, scene.labels, scene.areas, scene.masks, strict=True)
        )
    ]
    return Record(name, index + 1, image=encode(scene.pixels), size=(style.size, style.size), objects=objects)


def _outline(mask: NDArray[np.uint8], width: int, height: int) -> bytes:
    return of_pixels(mask)
