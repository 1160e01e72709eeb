"""Role `suppress`: which candidates for one object survive; they compete within a group, an (image, class) pair."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from detectors.config import PartConfig
from detectors.raw import Raw

Suppress = Callable[[Raw, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(raw, ranking scores [M], groups [M]) -> (indices of those that survive [N], their final scores [N])."""


@dataclass(frozen=True, kw_only=True)
class SuppressConfig(PartConfig):
    def build(self) -> Suppress:
        return super().build()
