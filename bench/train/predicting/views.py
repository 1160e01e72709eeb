"""What a detector says of several views of the same images, as raw predictions of one: multi-scale test."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench.data.input import View
from bench.errors import UserError
from detectors.images import ImageBatch
from detectors.raw import Raw

MOST_LEVELS = 128
"""So many a file of raw predictions can tell apart."""


@dataclass(frozen=True)
class Seen:
    """A view's candidates for a batch of images."""

    view: View
    raw: Raw
    """in the pixels of the view"""
    sizes: tuple[tuple[int, int], ...]
    """(height, width) of each image in the view"""
    scales: Tensor
    """[B, 2] what the source's width and height were multiplied with"""

    @classmethod
    def of(cls, view: View, images: ImageBatch, scales: Tensor, raw: Raw) -> "Seen":
        return cls(view, raw, images.sizes, scales[:, :2])


def pooled(seen: Sequence[Seen]) -> Raw:
    """All candidates in source pixels. Levels and sources of one view are others than those of the next.

    So `post` picks the best of each level of each view, and then lets all compete.
    """
    parts = []
    level, source = (torch.zeros(seen[0].raw.num_images, dtype=torch.int64) for _ in range(2))
    for one in seen:
        raw = one.raw
        parts.append(
            replace(
                raw,
                boxes=_in_source(one),
                level=raw.level + level[raw.image],
                source=raw.source + source[raw.image],
            )
        )
        level, source = level + _used(raw, raw.level), source + _used(raw, raw.source)
    if int(level.max()) > MOST_LEVELS:
        raise UserError(
            f"{len(seen)} views have {int(level.max())} levels together, raw predictions tell {MOST_LEVELS} apart",
            where="input.test_sizes",
            remedy="name fewer sizes",
        )
    return joined(parts)


def joined(parts: Sequence[Raw]) -> Raw:
    """Candidates for the same images one after the other."""
    columns = {
        name: torch.cat([getattr(part, name) for part in parts])
        for name in ("boxes", "scores", "labels", "image", "source", "level")
    }
    quality = {name: torch.cat([part.quality[name] for part in parts]) for name in parts[0].quality}
    return Raw(**columns, num_images=parts[0].num_images, quality=quality)


def _in_source(seen: Seen) -> Tensor:
    boxes, image = seen.raw.boxes, seen.raw.image
    if seen.view.mirrored:
        width = torch.tensor([width for _, width in seen.sizes], dtype=boxes.dtype)[image, None]
        x1, y1, x2, y2 = boxes.split(1, dim=1)
        boxes = torch.cat([width - x2, y1, width - x1, y2], dim=1)
    return boxes / seen.scales.to(boxes)[image].repeat(1, 2)


def _used(raw: Raw, numbers: Tensor) -> Tensor:
    """[B] one more than the highest number of each image's candidates."""
    none = torch.zeros(raw.num_images, dtype=torch.int64)
    return none.scatter_reduce(0, raw.image, numbers + 1, "amax")
