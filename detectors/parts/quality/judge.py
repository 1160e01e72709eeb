"""What the quality parts share: two layers that judge pooled features, and which boxes of a prediction are judged."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from detectors.parts.head.two_fc import two_fc
from detectors.parts.quality import RoIPrediction, RoISpec

Judged = Literal["own", "best", "proposal"]
"""A candidate's own box; its proposal's box for the most probable class, judged once for all classes; the proposal."""


class Judge(nn.Module):
    """Two fully connected layers and an output a class, or one for all."""

    def __init__(self, spec: RoISpec, width: int, class_agnostic: bool, std: float = 0.01) -> None:
        super().__init__()
        self.class_agnostic = class_agnostic
        self.shared = two_fc(spec.channels * spec.resolution**2, width)
        self.out = nn.Linear(width, 1 if class_agnostic else spec.num_classes)
        nn.init.normal_(self.out.weight, std=std)
        nn.init.zeros_(self.out.bias)

    def forward(self, pooled: Tensor, labels: Tensor, row: Tensor | None = None) -> Tensor:
        """[N, C, r, r] -> [M] in float32: what each of `labels` [M] gets from its `row` [M] of the N, or from row i."""
        outputs = self.out(self.shared(pooled)).float()
        row = torch.arange(len(labels), device=labels.device) if row is None else row
        return outputs[row, 0 if self.class_agnostic else labels]


def judged_boxes(context: RoIPrediction, judged: Judged) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes [N, 4], their images [N], and which of them answers for each candidate [M]."""
    if judged == "own":
        raw = context.raw
        return raw.boxes, raw.image, torch.arange(len(raw), device=raw.boxes.device)
    return context.best if judged == "best" else context.boxes, context.image, context.proposal


def confident(context: RoIPrediction, min_cls: float) -> RoIPrediction:
    """Only candidates with a class score above `min_cls`, and only their proposals."""
    kept = (context.raw.scores > min_cls).nonzero().squeeze(1)
    if len(kept) == len(context.raw):
        return context
    used, proposal = context.proposal[kept].unique(return_inverse=True)
    return replace(
        context,
        raw=context.raw.select(kept),
        proposal=proposal,
        boxes=context.boxes[used],
        image=context.image[used],
        best=context.best[used],
        kept=context.kept[used],
    )
