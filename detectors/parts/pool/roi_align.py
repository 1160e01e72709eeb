"""RoIAlign over a pyramid in one call, without asking the device how many boxes fall to each level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn import functional
from torchvision.ops import roi_align

from detectors.parts.pool import Pool, PoolBoxes, PoolConfig


@dataclass(frozen=True, kw_only=True)
class Config(PoolConfig):
    samples: Annotated[int, Ge(0)] = 2
    """Samples a bin and side; 0: one a cell of the map that the bin covers."""
    aligned: bool = False
    """Shift by half a cell, as detectron2 does; torchvision's detectors do not."""

    def build(self, strides: Sequence[int]) -> Pool:
        return RoIAlign(self, strides)


class RoIAlign(Pool):
    """All levels lie side by side on one canvas, each in a border that repeats its edge, as RoIAlign reads it."""

    config: Config

    def on(self, features: Sequence[Tensor]) -> PoolBoxes:
        shapes = [(level.shape[-2], level.shape[-1]) for level in features[: len(self.strides)]]
        places = _places(shapes)
        canvas = _canvas(features, shapes, places)
        corner = torch.tensor([[x + 1, y + 1] * 2 for x, y in places], dtype=torch.float32)
        extent = torch.tensor([[columns, rows] * 2 for rows, columns in shapes], dtype=torch.float32)
        stride = torch.tensor(self.strides, dtype=torch.float32)
        corner, extent, stride = (table.to(canvas.device, non_blocking=True) for table in (corner, extent, stride))

        def pool(boxes: Tensor, image: Tensor) -> Tensor:
            level = self.level(boxes)
            cells = torch.minimum(boxes.float() / stride[level, None], extent[level]).clamp(min=0) + corner[level]
            rois = torch.cat([image[:, None].to(cells.dtype), cells], 1).to(canvas.dtype)
            size = self.config.resolution
            return roi_align(canvas, rois, size, sampling_ratio=self.config.samples, aligned=self.config.aligned)

        return pool


def _places(shapes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where (x, y) each level's border begins: the finest at the left, the others below each other beside it."""
    places, top = [(0, 0)], 0
    for rows, _ in shapes[1:]:
        places.append((shapes[0][1] + 2, top))
        top += rows + 2
    return places


def _canvas(features: Sequence[Tensor], shapes: Sequence[tuple[int, int]], places: Sequence[tuple[int, int]]) -> Tensor:
    height = max(y + rows + 2 for (_, y), (rows, _) in zip(places, shapes, strict=True))
    width = max(x + columns + 2 for (x, _), (_, columns) in zip(places, shapes, strict=True))
    canvas = features[0].new_zeros((*features[0].shape[:2], height, width))
    for level, (rows, columns), (x, y) in zip(features, shapes, places, strict=False):
        canvas[:, :, y : y + rows + 2, x : x + columns + 2] = functional.pad(level, (1, 1, 1, 1), mode="replicate")
    return canvas
