"""Role `post`: from raw predictions to detections, with nothing but tensors, so that it also runs on stored ones."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from detectors.config import PartConfig
from detectors.raw import Raw

Detections = list[dict[str, Tensor]]
Post = Callable[[Raw], Detections]
"""One dict an image, best score first: `boxes`, `scores` (what they are ranked by), `labels`, `cls`, each quality."""


@dataclass(frozen=True, kw_only=True)
class PostConfig(PartConfig):
    def build(self) -> Post:
        return super().build()
