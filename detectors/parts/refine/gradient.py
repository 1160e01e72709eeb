"""Optimisation-based refinement (IoU-Net, Algorithm 2): boxes climb the gradient of their own predicted IoU."""

from dataclasses import dataclass

from torch import Tensor

from detectors.config import Count, NonNegative, Positive
from detectors.ops import refine_boxes
from detectors.parts.refine import OfBoxes, Refine, RefineConfig
from detectors.raw import Raw


@dataclass(frozen=True, kw_only=True)
class Config(RefineConfig):
    step: Positive = 0.5
    """lambda of the paper; the gradient is that of the IoU itself, times the box's width and height."""
    steps: Count = 5
    stop_delta: NonNegative = 0.001
    """A box stops when its IoU changes by less ..."""
    max_drop: NonNegative = 0.01
    """... or falls by more than this."""
    keep_worse: bool = True
    """A box that fell stays where it fell, as in the paper and in the code that others published; or goes back."""

    def build(self) -> Refine:
        return Gradient(self)


class Gradient(Refine):
    config: Config

    def move(self, raw: Raw, rate: OfBoxes, regress: OfBoxes) -> tuple[Tensor, Tensor]:
        config = self.config
        return refine_boxes(
            raw.boxes,
            lambda boxes: rate(boxes, raw.image, raw.labels),
            step=config.step,
            steps=config.steps,
            stop_delta=config.stop_delta,
            max_drop=-config.max_drop,
            keep_worse=config.keep_worse,
        )
