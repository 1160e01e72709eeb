"""No suppression: every candidate survives, as detectors that are trained one to one want it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.parts.suppress import Suppress, SuppressConfig
from detectors.raw import Raw


@dataclass(frozen=True, kw_only=True)
class Config(SuppressConfig):
    def build(self) -> Suppress:
        return keep_all


def keep_all(raw: Raw, scores: Tensor, groups: Tensor, most: int) -> tuple[Tensor, Tensor]:
    return torch.arange(len(raw), device=scores.device), scores
