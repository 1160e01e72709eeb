"""Detections as arrays: one entry a box over all images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from bench.errors import UserError
from bench.score.tables.masks import Rle, areas


@dataclass(frozen=True)
class Detections:
    """N boxes; those of an image keep the order in which they were found, which breaks ties of score."""

    num_images: int
    image: np.ndarray
    """[N] int64 index of the image in the ground truth"""
    xywh: np.ndarray
    """[N, 4] float64"""
    scores: np.ndarray
    """[N] float64: what detections are ranked by"""
    labels: np.ndarray
    """[N] int64 in 0..K-1"""
    cls: np.ndarray | None = None
    """[N] class probabilities, where they are known apart from the ranking score"""
    quality: dict[str, np.ndarray] = field(default_factory=dict)
    """name -> [N]: what the detector believed about the fit, such as `iou`"""
    masks: tuple[Rle, ...] | None = None
    where: str = "detections"
    """the file they come from, for error messages"""

    def __len__(self) -> int:
        return len(self.scores)

    @cached_property
    def boxes(self) -> np.ndarray:
        """[N, 4] float64 xyxy"""
        return np.concatenate([self.xywh[:, :2], self.xywh[:, :2] + self.xywh[:, 2:]], axis=1)

    @cached_property
    def box_area(self) -> np.ndarray:
        area: np.ndarray = self.xywh[:, 2] * self.xywh[:, 3]
        return area

    @cached_property
    def mask_area(self) -> np.ndarray:
        return np.array(areas(list(self.masks or ())), dtype=np.float64)

    @staticmethod
    def from_boxes(num_images: int, image: Any, boxes: Any, scores: Any, labels: Any, **rest: Any) -> Detections:
        """From xyxy boxes; checks every value."""
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
        arrays = np.asarray(image, np.int64), xywh, np.asarray(scores, np.float64), np.asarray(labels, np.int64)
        return Detections(num_images, *arrays, **rest).checked()

    @staticmethod
    def from_output(outputs: Sequence[Mapping[str, Any]], images: Sequence[int] | None = None) -> Detections:
        """From what a detector returns, one dict of tensors or arrays an image; `images` are their indices."""
        indices = range(len(outputs)) if images is None else images
        counts = [len(output["scores"]) for output in outputs]
        names = sorted({name for output in outputs for name in output} - {"boxes", "scores", "labels", "masks"})
        columns = {name: _stack(outputs, name) for name in ("scores", "labels", *names)}
        boxes = np.concatenate([np.zeros((0, 4)), *(_array(output["boxes"]).reshape(-1, 4) for output in outputs)])
        return Detections.from_boxes(
            max(indices, default=-1) + 1,
            np.repeat(np.asarray(indices, np.int64), counts),
            boxes,
            columns.pop("scores"),
            columns.pop("labels"),
            cls=columns.pop("cls", None),
            quality=columns,
        )

    @staticmethod
    def joined(parts: Sequence[Detections], num_images: int, where: str = "detections") -> Detections:
        """Of several stretches of images; they have the same qualities, and no masks."""
        if not parts:
            return Detections.from_boxes(num_images, [], [], [], [], where=where)
        cls = [part.cls for part in parts if part.cls is not None]
        return Detections(
            num_images,
            np.concatenate([part.image for part in parts]),
            np.concatenate([part.xywh for part in parts]),
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.labels for part in parts]),
            cls=np.concatenate(cls) if cls else None,
            quality={name: np.concatenate([p.quality[name] for p in parts]) for name in parts[0].quality},
            where=where,
        )

    def select(self, index: np.ndarray) -> Detections:
        """The detections that a mask or an index picks."""
        picked = np.flatnonzero(index) if index.dtype == bool else index
        return Detections(
            self.num_images,
            self.image[picked],
            self.xywh[picked],
            self.scores[picked],
            self.labels[picked],
            cls=None if self.cls is None else self.cls[picked],
            quality={name: values[picked] for name, values in self.quality.items()},
            masks=None if self.masks is None else tuple(self.masks[i] for i in picked),
            where=self.where,
        )

    def checked(self, num_classes: int | None = None) -> Detections:
        """Itself, or a UserError that names the first record that cannot be scored."""
        sides, limit = self.xywh[:, 2:], np.inf if num_classes is None else num_classes
        self._refuse(~np.isfinite(self.xywh).all(1), "box", self.xywh, "boxes must be finite numbers")
        self._refuse((sides < 0).any(1), "box", self.xywh, "width and height must not be negative")
        self._refuse(~np.isfinite(self.scores) | (self.scores < 0), "score", self.scores, "scores must be 0 or more")
        self._refuse((self.labels < 0) | (self.labels >= limit), "label", self.labels, "labels are 0 to classes - 1")
        unknown = (self.image < 0) | (self.image >= self.num_images)
        self._refuse(unknown, "image", self.image, f"the data have {self.num_images} images")
        return self

    def _refuse(self, bad: Any, name: str, values: np.ndarray, remedy: str) -> None:
        if bad.any():
            first = int(bad.argmax())
            raise UserError(
                f"detection {first} has the {name} {values[first].tolist()}", where=self.where, remedy=remedy
            )


def _stack(outputs: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(_array(output[name]) for output in outputs)])


def _array(values: Any) -> np.ndarray:
    """A tensor on any device, an array or a list, as float64."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, np.float64)
