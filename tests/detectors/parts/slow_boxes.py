"""Slow references in plain Python floats (which are float64), written from the papers, one object at a time."""

from collections.abc import Sequence

import torch
from torch import Tensor

from detectors.targets import Targets, pad_targets

Box = Sequence[float]


def iou(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inside = max(width, 0.0) * max(height, 0.0)
    union = area(a) + area(b) - inside
    return inside / union if union > 0 else 0.0


def area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def covered(a: Box, by: Box) -> float:
    width = min(a[2], by[2]) - max(a[0], by[0])
    height = min(a[3], by[3]) - max(a[1], by[1])
    return max(width, 0.0) * max(height, 0.0) / area(a) if area(a) > 0 else 0.0


def random_boxes(generator: torch.Generator, count: int, size: float, whole: bool = False) -> Tensor:
    """Boxes of all sizes within an image; `whole` gives corners on whole pixels, so that overlaps tie often."""
    corners = torch.rand(count, 2, 2, generator=generator) * size
    boxes = torch.cat([corners.amin(1), corners.amax(1)], 1)
    return boxes.round() if whole else boxes


def random_targets(
    generator: torch.Generator, images: int = 3, most: int = 6, size: float = 96, classes: int = 4, whole: bool = False
) -> tuple[list[dict[str, Tensor]], Targets]:
    """Images with 0..most objects, a fifth of them crowds."""
    listed = []
    for _ in range(images):
        count = int(torch.randint(0, most + 1, (), generator=generator))
        listed.append(
            {
                "boxes": random_boxes(generator, count, size, whole),
                "labels": torch.randint(0, classes, (count,), generator=generator),
                "iscrowd": torch.rand(count, generator=generator) < 0.2,
            }
        )
    return listed, pad_targets(listed)
