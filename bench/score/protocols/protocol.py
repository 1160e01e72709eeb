"""The rules by which detections are judged, by name."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.errors import UserError
from bench.score.tables.ground_truth import GroundTruth

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""as COCO's code makes them: .6 and .85 are not the nearest floats to the decimals"""
RECALL_THRESHOLDS = np.linspace(0.0, 1.0, 101)
AREAS = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
MAX_DETECTIONS = (1, 10, 100)
CITYSCAPES_CLASSES = ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")


@dataclass(frozen=True)
class Protocol:
    """`coco` counts difficult objects as any other; `voc` ignores them, as its development kit does."""

    rules: Literal["coco", "voc"] = "coco"
    masks: bool = False
    """judge masks, not boxes"""
    interpolation: Literal["area", "11-point"] = "area"
    """voc only: 2010 and later, or 2007"""
    plus_one: bool = False
    """voc only: the development kit's inclusive pixel coordinates, sides are x2 - x1 + 1"""
    classes: tuple[str, ...] = ()
    """only these classes; none means all"""

    @property
    def name(self) -> str:
        if self.rules == "coco":
            base = "cityscapes" if self.classes == CITYSCAPES_CLASSES else "coco"
            return base + ("-mask" if self.masks else "")
        return ("voc2007" if self.interpolation == "11-point" else "voc2012") + ("+1" if self.plus_one else "")


PROTOCOLS = {
    "coco": Protocol(),
    "coco-mask": Protocol(masks=True),
    "cityscapes": Protocol(classes=CITYSCAPES_CLASSES),
    "cityscapes-mask": Protocol(masks=True, classes=CITYSCAPES_CLASSES),
    "voc2007": Protocol(rules="voc", interpolation="11-point"),
    "voc2007+1": Protocol(rules="voc", interpolation="11-point", plus_one=True),
    "voc2012": Protocol(rules="voc"),
    "voc2012+1": Protocol(rules="voc", plus_one=True),
}


def protocol_named(name: str) -> Protocol:
    if name not in PROTOCOLS:
        raise UserError(f"no protocol is called {name!r}", remedy=f"choose one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def labels_of(protocol: Protocol, truth: GroundTruth) -> list[int]:
    """The labels that the protocol judges; the data must have all the classes that it names."""
    if not protocol.classes:
        return list(range(truth.num_classes))
    missing = [name for name in protocol.classes if name not in truth.class_names]
    if missing:
        raise UserError(
            f"the protocol {protocol.name} judges {', '.join(missing)}, which the data do not have",
            remedy="choose the protocol coco",
        )
    return [truth.class_names.index(name) for name in protocol.classes]
