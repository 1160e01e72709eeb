"""What an evaluation gives: numbers by name, and what they were made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bench.score.protocols.engines import Accumulated
from bench.score.protocols.protocol import Protocol
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth

if TYPE_CHECKING:
    from bench.score.protocols.matching import Matches


@dataclass(frozen=True)
class Scores:
    metrics: dict[str, float]
    per_class: dict[str, dict[str, float]]
    protocol: str
    """its name; `+1` tells of inclusive pixel coordinates"""
    engine: str
    rules: Protocol
    truth: GroundTruth
    """images and the classes that the protocol judges"""
    detections: Detections
    accumulated: Accumulated | None = None
    """COCO's precision and recall arrays"""

    @cached_property
    def matches(self) -> Matches:
        """Who found what, image by image, by COCO's rules at its ten IoU thresholds; made once."""
        from bench.score.protocols.matching import match

        return match(self.truth, self.detections, masks=self.rules.masks)
