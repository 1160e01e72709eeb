"""How far regression moves the IoU of boxes: the same boxes at several moments of a training (DIR fig. 2)."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import nn

from bench.data.batches.batch import padded
from bench.data.input import InputConfig
from bench.data.store import Store
from bench.train.watching.snapshot import ROWS_TRIED, countable, seen_in_evaluation, undisturbed
from detectors.families.two_stage import TwoStage
from detectors.ops import aligned_iou, clip, jitter_boxes_uniform_iou

IMAGES, OBJECTS, PER_OBJECT = 8, 64, 16
LEAST_IOU = 0.5
"""As in the second stage's training, in which boxes that overlap less are background."""


@dataclass(frozen=True)
class Gains:
    """IoU with its object of every box, before and after regression."""

    iteration: int
    before: list[float]
    after: list[float]


class GivenBoxes:
    """Around the objects of the first images that have any, by no detector's choice."""

    def __init__(self, store: Store, input: InputConfig) -> None:
        with_objects = (row for row in range(min(len(store), ROWS_TRIED)) if countable(store, row).any())
        seen = [seen_in_evaluation(store, row, input) for row in islice(with_objects, IMAGES)]
        seen = [sample.select(~sample.iscrowd) for sample in seen]
        self._images = padded(seen, input.multiple_of) if seen else None
        found = [
            (image, label, box)
            for image, sample in enumerate(seen)
            for label, box in zip(sample.labels, sample.boxes, strict=True)
        ][:OBJECTS]
        image, label = (torch.tensor([one[i] for one in found], dtype=torch.int64) for i in (0, 1))
        self._image, self._label = (index.repeat_interleave(PER_OBJECT) for index in (image, label))
        objects = torch.tensor(np.array([box for *_, box in found], np.float32).reshape(-1, 4))
        self._objects = objects.repeat_interleave(PER_OBJECT, 0)
        drawn = jitter_boxes_uniform_iou(objects, PER_OBJECT, LEAST_IOU, 1.0, torch.Generator().manual_seed(0))
        sizes = torch.tensor([sample.size for sample in seen], dtype=torch.float32).view(-1, 2)
        self._boxes = clip(drawn.flatten(0, 1), sizes[self._image])

    def to(self, model: nn.Module, iteration: int) -> Gains | None:
        """None of a detector that regresses no boxes that it is given."""
        if not isinstance(model, TwoStage) or self._images is None:
            return None
        device = model.mean.device
        boxes, image, labels = (tensor.to(device) for tensor in (self._boxes, self._image, self._label))
        with undisturbed(model):
            after = model.regressed(self._images, boxes, image, labels).float().cpu()
        before, after = aligned_iou(self._boxes, self._objects), aligned_iou(after, self._objects)
        return Gains(iteration, before.tolist(), after.tolist())
