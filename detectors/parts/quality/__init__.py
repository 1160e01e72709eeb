"""Role `quality`: how well does each box fit? A part of its own beside any detector that pools features of boxes.

A quality part never touches the detector's code. In training it is given a `RoITraining` and answers with losses; in
evaluation it is given a `RoIPrediction` and answers with its raw predictions, each of the qualities that it predicts
added under a name: `iou`, `purity`, ... Both contexts hold the same tools:

- `pool(boxes [N, 4], image [N])` gives features [N, C, r, r] of any boxes (a part that wants another kind of pooling
  builds one from its own `PoolConfig` and calls `pool.on(context.features)`);
- `regress(boxes [N, 4], image [N], labels [N])` gives the boxes that the detector makes of these for these classes,
  clipped to their images and without gradients;
- in training, `assign(boxes [B, N, 4])` says which objects they answer for, by the detector's own assigner.

Gradients of a quality's losses flow into its own layers and through pooled features into the pyramid, never into
boxes. A part must be finite and trainable when no box is positive: multiply by a mask, never index by one, and let the
sum of zeros stand. `uniform_per_image` and `mean_over_ranks` (`detectors.distributed`) make draws and normalisers that
do not depend on the number of workers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from detectors.config import PartConfig
from detectors.parts.assign import Assignment
from detectors.parts.pool import PoolBoxes
from detectors.parts.proposals import Proposals
from detectors.parts.sample import Samples
from detectors.raw import Raw
from detectors.targets import Targets

Regress = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(boxes [N, 4], image [N], labels [N]) -> regressed boxes [N, 4], clipped, without gradients."""


@dataclass(frozen=True)
class RoISpec:
    """What a quality part is built for."""

    channels: int
    """of the pyramid"""
    strides: tuple[int, ...]
    """of the pyramid's levels"""
    resolution: int
    """side of the detector's pooled features"""
    num_classes: int


@dataclass(frozen=True)
class RoITraining:
    """One training step of the last stage of a detector."""

    features: Sequence[Tensor]
    """the pyramid, with gradients"""
    sizes: Tensor
    """[B, 2] (height, width) of each image"""
    targets: Targets
    proposals: Proposals
    """[B, P] what the stage was given, before objects were added and samples drawn"""
    samples: Samples
    """[B, S] what the stage was trained on"""
    boxes: Tensor
    """[B, S, 4] the boxes of the samples"""
    pooled: Tensor
    """[B * S, C, r, r] their features, as the detector's head saw them"""
    regressed: Tensor
    """[B, S, 4] what the detector makes of them for their objects' classes; clipped, without gradients"""
    pool: PoolBoxes
    regress: Regress
    assign: Callable[[Tensor, Tensor], Assignment]
    """(boxes [B, N, 4], which of them count [B, N]) -> assignment; those that do not count are ignored"""

    @property
    def image(self) -> Tensor:
        """[B, S] int64: the image of each sample."""
        return image_index(self.boxes)


@dataclass(frozen=True)
class RoIPrediction:
    """One evaluation step: M candidates (box, class) that came from N proposals, all images in one row."""

    features: Sequence[Tensor]
    sizes: Tensor
    """[B, 2] (height, width) of each image"""
    raw: Raw
    """[M] candidates, above the floor, regressed for their own class"""
    proposal: Tensor
    """[M] int64: which of the N each candidate came from"""
    boxes: Tensor
    """[N, 4] the proposals that have a candidate, before regression"""
    image: Tensor
    """[N] int64"""
    best: Tensor
    """[N, 4] each proposal regressed for its most probable class"""
    seen: Tensor
    """[S, C, r, r] features of all boxes that the detector's head saw"""
    kept: Tensor
    """[N] int64: which of those the proposals are"""
    pool: PoolBoxes
    regress: Regress

    @cached_property
    def pooled(self) -> Tensor:
        """[N, C, r, r] features of the proposals; copied only for who asks."""
        return self.seen[self.kept]


class Quality(nn.Module):
    def losses(self, context: RoITraining) -> dict[str, Tensor]:
        """Scalars by name, weighted already."""
        raise NotImplementedError

    def predict(self, context: RoIPrediction) -> Raw:
        """`context.raw.with_quality(...)`; a part that refines boxes may also replace them, or drop candidates."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class QualityConfig(PartConfig):
    def build(self, spec: RoISpec) -> Quality:
        return super().build(spec)


def image_index(boxes: Tensor) -> Tensor:
    """[B, N, 4] -> [B, N] int64: the image of each box."""
    return torch.arange(len(boxes), device=boxes.device)[:, None].expand(boxes.shape[:2])
