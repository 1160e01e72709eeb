"""Role `suppress`: which candidates for one object survive; they compete within a group, an (image, class) pair."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from detectors.config import PartConfig
from detectors.raw import Raw

Suppress = Callable[[Raw, Tensor, Tensor, int], tuple[Tensor, Tensor]]
"""(raw, ranking scores [M], groups [M], most) -> (indices of those that survive [N], their final scores [N]).

Of a group only the `most` survivors of highest final score are of use; a rule that finds them in that order may stop.
"""


@dataclass(frozen=True, kw_only=True)
class SuppressConfig(PartConfig):
    def build(self) -> Suppress:
        return super().build()
