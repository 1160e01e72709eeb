"""How a dense detector's anchors are assigned in a step, and how hard its box loss pulls, seen from outside.

Counting happens on the device, in the steps that are looked at; `flush` fetches the counts when someone waits anyway.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench.train.loop import Training
from detectors.families.dense_losses import DenseLosses

PER_DECADE, LEAST, BINS = 8, 1e-3, 34
"""Bins of |predicted - target|, in codes: below the least, eight a decade, and above a hundred."""
EDGES = tuple(LEAST * 10 ** (k / PER_DECADE) for k in range(BINS - 1))
PAIRS = 2
"""Codes 1 and 2 (where a box is) and codes 3 and 4 (how large it is, or where its other sides are) apart."""


@dataclass(frozen=True)
class Observation:
    """One step on this worker."""

    iteration: int
    positives: int
    objects: int
    pull: tuple[tuple[float, ...], ...]
    """[PAIRS][BINS] the sum of |gradient| of the box loss by the codes of a positive, times the number of positives"""
    count: tuple[tuple[int, ...], ...]
    """[PAIRS][BINS] of how many codes"""

    @property
    def positives_per_object(self) -> float:
        return self.positives / max(self.objects, 1)


class Observer:
    """Looks at every `every`-th step of a training; of a detector that assigns no anchors it has nothing to say."""

    def __init__(self, training: Training, every: int) -> None:
        self._training, self._every = training, every
        self._pending: list[tuple[int, Tensor]] = []
        for module in training.model.modules():
            if isinstance(module, DenseLosses):
                module.register_forward_hook(self._look)

    def flush(self) -> list[Observation]:
        """What was seen since the last call; waits for the device."""
        if not self._pending:
            return []
        rows = torch.stack([seen for _, seen in self._pending]).tolist()
        steps = [step for step, _ in self._pending]
        self._pending.clear()
        return [_observation(step, row) for step, row in zip(steps, rows, strict=True)]

    def _look(self, losses: DenseLosses, inputs: tuple[Any, ...], outputs: Any) -> None:
        output, anchors, targets = inputs
        step = self._training.iteration + 1
        if step % self._every or not output.loc.requires_grad:
            return
        with torch.no_grad():
            assignment = losses.assign(output, anchors, targets)
            rows = losses.positives(output, anchors, targets, assignment)
            error = (rows.codes - losses.coder.encode(rows.references, rows.objects)).abs()
            cells = _cells(error, rows.mask)
            head = torch.stack([assignment.positive.sum(), targets.objects.sum()])
        output.loc.register_hook(lambda gradient: self._add(step, head, cells, gradient.flatten(0, 1)[rows.index]))

    def _add(self, step: int, head: Tensor, cells: Tensor, gradient: Tensor) -> None:
        values = gradient.double().abs().flatten() * head[0]
        kinds = torch.stack([values, torch.ones_like(values)])
        sums = kinds.new_zeros(2, PAIRS * BINS + 1).index_add_(1, cells.flatten(), kinds)
        self._pending.append((step, torch.cat([head.double(), sums[:, :-1].flatten()])))


def _cells(error: Tensor, mask: Tensor) -> Tensor:
    """[P, 4] where each code is counted: its pair and bin; rows that only fill share one cell after all others."""
    place = (error.where(mask[:, None], 1) / LEAST).log10() * PER_DECADE
    pair = torch.arange(4, device=error.device) // 2
    cell = pair * BINS + place.floor().add(1).clamp(0, BINS - 1).long()
    return torch.where(mask[:, None], cell, PAIRS * BINS)


def _observation(step: int, row: list[float]) -> Observation:
    tables = torch.tensor(row[2:], dtype=torch.float64).view(2, PAIRS, BINS)
    pull = tuple(tuple(line) for line in tables[0].tolist())
    count = tuple(tuple(line) for line in tables[1].long().tolist())
    return Observation(step, int(row[0]), int(row[1]), pull, count)
