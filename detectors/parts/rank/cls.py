"""Rank by the class score alone: the baseline of every paper."""

from dataclasses import dataclass

from torch import Tensor

from detectors.parts.rank import Rank, RankConfig
from detectors.raw import Raw


@dataclass(frozen=True, kw_only=True)
class Config(RankConfig):
    def build(self) -> Rank:
        return class_score


def class_score(raw: Raw) -> Tensor:
    return raw.scores
