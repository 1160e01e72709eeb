"""Score voting (PAA, Eq. 9-10): a kept box moves to the mean of its neighbours, weighted by score and nearness."""

import torch
from torch import Tensor

from detectors.ops.bands import blocks
from detectors.ops.boxes import pairwise_iou


def score_vote(
    kept: Tensor, boxes: Tensor, scores: Tensor, sigma: float, min_iou: float = 0.01, groups: Tensor | None = None
) -> Tensor:
    """The boxes at the indices `kept`, each replaced by the mean over all boxes of its group with IoU > `min_iou`.

    The weight of a neighbour is score x exp(-(1 - IoU)^2 / `sigma`). A box whose weights are all 0 stays.
    """
    groups = torch.zeros_like(scores, dtype=torch.int64) if groups is None else groups
    voters, asking = groups.argsort(stable=True), groups[kept].argsort(stable=True)
    begins, ends = (
        torch.searchsorted(groups[voters], groups[kept[asking]], right=right).tolist() for right in (False, True)
    )
    voted = [boxes.new_empty(0, 4)]
    for rows, columns in blocks(begins, ends, boxes.is_cuda):
        row, column = kept[asking[rows]], voters[columns]
        same = groups[row, None] == groups[column]
        voted.append(_vote(boxes[row], boxes[column], scores[column] * same, sigma, min_iou))
    return torch.cat(voted)[asking.argsort()]


def _vote(kept: Tensor, voters: Tensor, scores: Tensor, sigma: float, min_iou: float) -> Tensor:
    """[R, 4], [C, 4] and scores [R, C], 0 for those that do not count -> [R, 4].

    In float64, which neither TF32 nor autocast rounds: a coordinate needs more digits than they keep.
    """
    iou = pairwise_iou(kept, voters)
    weight = (torch.exp(-((1 - iou) ** 2) / sigma) * scores * (iou > min_iou)).double()
    total = weight.sum(1, keepdim=True)
    mean = weight @ voters.double() / total.where(total > 0, 1)
    return torch.where(total > 0, mean, kept).to(kept.dtype)
