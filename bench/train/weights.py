"""What a training leaves behind: a detector's weights with all that is needed to build it again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import detectors
from bench.config.tree import from_tree, to_tree
from bench.errors import UserError
from bench.train.checkpoint import State, read_state, write_state
from detectors.detector import Detector
from detectors.families import DetectorConfig


def save_weights(path: Path, detector: DetectorConfig, num_classes: int, checkpoint: State) -> None:
    """The averaged weights where the training kept an average."""
    write_state(
        path,
        {
            "detector": to_tree(detector),
            "num_classes": num_classes,
            "digest": checkpoint["digest"],
            "iteration": checkpoint["iteration"],
            "model": checkpoint["ema"] or checkpoint["model"],
        },
    )


def load_detector(path: Path, device: torch.device | str = "cpu", **after_training: Any) -> Detector:
    """The trained detector in evaluation mode, on request with another `post` or `floor`."""
    saved = read_state(path)
    if saved is None:
        what = "cannot be read as trained weights" if path.exists() else "no such file"
        raise UserError(what, where=str(path), remedy="train the variant again")
    config = from_tree(DetectorConfig, saved["detector"])
    model: Detector = detectors.build(replace(config, **after_training), num_classes=saved["num_classes"])
    model.load_state_dict(saved["model"])
    return model.to(device).eval()
