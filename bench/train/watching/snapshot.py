"""Which anchors answer for the objects of one training image, and the boxes that they predict, at a moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.data.batches import sample as samples
from bench.data.batches.batch import padded
from bench.data.input import InputConfig
from bench.data.store import Store
from detectors.families.dense import Dense
from detectors.ops import aligned_iou
from detectors.targets import pad_targets

ROWS_TRIED = 500
FEW, MANY = 2, 6
"""Objects of the image that is chosen, if there is such a one."""


@dataclass(frozen=True)
class Snapshot:
    """Boxes are in the pixels of the source."""

    iteration: int
    row: int
    objects: list[list[float]]
    positives: list[dict[str, float]]
    """of each positive: `object`, `level`, `anchor_iou`, `box_iou` with its object, and the sides of both boxes"""


class Camera:
    """Takes snapshots of one image of a store, as evaluation sees it."""

    def __init__(self, store: Store, input: InputConfig) -> None:
        self.row = choose(store)
        sample, whole = seen_in_evaluation(store, self.row, input), store.annotations(self.row)
        self.scale = np.array([sample.size[1] / whole.width, sample.size[0] / whole.height] * 2, np.float32)
        self.images = padded([sample], input.multiple_of)
        self.target = {
            "boxes": torch.from_numpy(sample.boxes),
            "labels": torch.from_numpy(sample.labels),
            "iscrowd": torch.from_numpy(sample.iscrowd),
        }

    def take(self, model: nn.Module, iteration: int) -> Snapshot | None:
        """None of a detector that assigns no anchors. The model is as it was afterwards."""
        if not isinstance(model, Dense):
            return None
        with undisturbed(model):
            return self._take(model, iteration)

    def _take(self, model: Dense, iteration: int) -> Snapshot:
        output, anchors = model.outputs(model.as_batch(self.images))
        targets = pad_targets([self.target], output.loc.device)
        assignment = model.training_losses.assign(output, anchors, targets)
        at = assignment.positive[0].nonzero().squeeze(1)
        slot = assignment.matched[0, at]
        references, objects = anchors.boxes[at], targets.boxes[0, slot]
        boxes = model.training_losses.coder.decode(references, output.loc[0, at])
        columns: dict[str, Tensor] = {
            "object": slot.float(),
            "level": anchors.level[at].float(),
            "anchor_iou": aligned_iou(references, objects),
            "box_iou": aligned_iou(boxes, objects),
            **_sides("anchor", references, self.scale),
            **_sides("box", boxes, self.scale),
        }
        table = torch.stack([column.double().cpu() for column in columns.values()], 1).tolist()
        objects_in_source = (self.target["boxes"].numpy() / self.scale).tolist()
        return Snapshot(iteration, self.row, objects_in_source, [dict(zip(columns, row, strict=True)) for row in table])


def choose(store: Store) -> int:
    """The first image with a few objects, so that their anchors can be told apart; else the one with most of them."""
    counts = [int(countable(store, row).sum()) for row in range(min(len(store), ROWS_TRIED))]
    few = [row for row, count in enumerate(counts) if FEW <= count <= MANY]
    return few[0] if few else int(np.argmax(counts))


def countable(store: Store, row: int) -> NDArray[np.bool_]:
    """Which of a row's objects a detector is to find."""
    found = store.annotations(row)
    ignored: NDArray[np.bool_] = found.iscrowd | found.difficult
    return ~ignored


def seen_in_evaluation(store: Store, row: int, input: InputConfig) -> samples.Sample:
    whole = samples.load(store, row, input)
    return samples.resize(whole, *input.target_size(*whole.size, input.eval_size()))


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """The model in evaluation, and as it was afterwards."""
    training = model.training
    model.eval()
    try:
        # A compiled network would be compiled anew for a few images.
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):
            yield
    finally:
        model.train(training)


def _sides(name: str, boxes: Tensor, scale: NDArray[np.float32]) -> dict[str, Tensor]:
    in_source = boxes.float() / torch.from_numpy(scale).to(boxes.device)
    return {f"{name}_{side}": in_source[:, i] for i, side in enumerate(("x1", "y1", "x2", "y2"))}
