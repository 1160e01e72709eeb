"""The way in: a variant's name or a config becomes a model."""

from detectors.detector import Detector
from detectors.families import DetectorConfig
from detectors.zoo import config as named


def build(variant: str | DetectorConfig, num_classes: int) -> Detector:
    """A detector with torchvision's call contract; labels are 0..num_classes-1."""
    if num_classes < 1:
        raise ValueError(f"num_classes = {num_classes}: a detector needs at least one class")
    model = (named(variant) if isinstance(variant, str) else variant).build(num_classes)
    assert isinstance(model, Detector)
    return model
