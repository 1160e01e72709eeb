"""The objects of a batch as padded tensors: the one place where lists of targets become [B, G] arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


@dataclass(frozen=True)
class Targets:
    """The objects of B images, padded to G >= 1 slots each, so that nothing has to loop over images."""

    boxes: Tensor
    """[B, G, 4] float xyxy, zeros in empty slots"""
    labels: Tensor
    """[B, G] int64 in 0..K-1, 0 in empty slots"""
    valid: Tensor
    """[B, G] bool: the slot holds an object or a crowd"""
    iscrowd: Tensor
    """[B, G] bool: the slot holds a crowd, which is never a positive"""
    may_have_crowd: bool
    """False only where it is known without asking a device: crowd rules are then skipped"""

    @property
    def objects(self) -> Tensor:
        """[B, G] bool: slots that anchors can be matched to."""
        return self.valid & ~self.iscrowd


def pad_targets(targets: Sequence[Mapping[str, Tensor]], device: torch.device | str | None = None) -> Targets:
    """Pads where the targets lie, then moves each field once; never waits for a device."""
    boxes = pad_sequence([target["boxes"].reshape(-1, 4).float() for target in targets], batch_first=True)
    labels = pad_sequence([target["labels"] for target in targets], batch_first=True)
    valid = pad_sequence([torch.ones_like(target["labels"], dtype=torch.bool) for target in targets], batch_first=True)
    crowds = [target.get("iscrowd") for target in targets]
    iscrowd = pad_sequence(
        [
            torch.zeros_like(target["labels"], dtype=torch.bool) if crowd is None else crowd.bool()
            for target, crowd in zip(targets, crowds, strict=True)
        ],
        batch_first=True,
    )
    may_have_crowd = bool(iscrowd.any()) if iscrowd.device.type == "cpu" else any(crowd is not None for crowd in crowds)
    if boxes.shape[1] == 0:
        boxes, labels, valid, iscrowd = (
            field.new_zeros((len(targets), 1, *field.shape[2:])) for field in (boxes, labels, valid, iscrowd)
        )
    where = device or boxes.device
    return Targets(
        boxes=boxes.to(where, non_blocking=True),
        labels=labels.to(where, non_blocking=True),
        valid=valid.to(where, non_blocking=True),
        iscrowd=iscrowd.to(where, non_blocking=True),
        may_have_crowd=may_have_crowd,
    )
