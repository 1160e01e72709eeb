"""One side of an evaluation, objects or detections, in the form that both engines are fed from."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Side:
    """Objects of ground truth or detections, in one order for both engines."""

    image_ids: np.ndarray
    labels: np.ndarray
    xywh: np.ndarray
    area: np.ndarray
    iscrowd: np.ndarray
    scores: np.ndarray
    masks: tuple[Any, ...] | None
