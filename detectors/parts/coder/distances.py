"""Distances from a reference box's centre to the four sides, in sides of it (FCOS), or their logarithms (FoveaBox)."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from detectors.config import Positive
from detectors.parts.coder import Coder, CoderConfig


@dataclass(frozen=True, kw_only=True)
class Config(CoderConfig):
    form: Literal["linear", "log"] = "linear"
    limit: Positive = 16.0
    """logarithms encode distances between 1 / limit and limit sides of the reference box only"""

    def build(self) -> Coder:
        return Distances(self)


class Distances(Coder):
    def __init__(self, config: Config) -> None:
        self.log, self.limit = config.form == "log", math.log(config.limit)

    def encode(self, references: Tensor, boxes: Tensor) -> Tensor:
        centers, sides = _centers_and_sides(references)
        boxes = boxes.float()
        distances = torch.cat([centers - boxes[..., :2], boxes[..., 2:] - centers], -1) / torch.cat([sides, sides], -1)
        return distances.clamp(min=1e-6).log().clamp(-self.limit, self.limit) if self.log else distances

    def decode(self, references: Tensor, codes: Tensor) -> Tensor:
        centers, sides = _centers_and_sides(references)
        codes = codes.float()
        distances = (codes.clamp(max=2 * self.limit).exp() if self.log else codes) * torch.cat([sides, sides], -1)
        return torch.cat([centers - distances[..., :2], centers + distances[..., 2:]], -1)


def _centers_and_sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    boxes = boxes.float()
    return (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
