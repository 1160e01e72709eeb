"""Which (anchor, class) pairs of a dense detector become raw predictions."""

from dataclasses import dataclass

from torch import Tensor

from detectors.ops.groups import best_within
from detectors.parts.anchors import Anchors


@dataclass(frozen=True)
class Candidates:
    """M pairs: each field is [M]."""

    image: Tensor
    anchor: Tensor
    label: Tensor
    level: Tensor
    scores: Tensor


def best_candidates(scores: Tensor, anchors: Anchors, floor: float, per_level: int) -> Candidates:
    """Of class scores [B, A, K], those above the floor, and at most `per_level` of an image's level, the best."""
    image, anchor, label = (scores > floor).nonzero(as_tuple=True)
    found = Candidates(image, anchor, label, anchors.level[anchor], scores[image, anchor, label])
    if len(found.scores) <= per_level:
        return found
    kept = best_within(image * len(anchors.counts) + found.level, found.scores, per_level)
    return Candidates(*(field[kept] for field in (image, anchor, label, found.level, found.scores)))
