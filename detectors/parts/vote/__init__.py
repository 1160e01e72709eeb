"""Role `vote`: boxes that survived suppression are moved by those around them; their scores stay."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from detectors.config import PartConfig

Vote = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(all boxes [M, 4], scores [M], groups [M], indices of the kept [N]) -> voted boxes [N, 4]."""


@dataclass(frozen=True, kw_only=True)
class VoteConfig(PartConfig):
    def build(self) -> Vote:
        return super().build()
