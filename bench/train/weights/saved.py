"""What a training leaves behind: a detector's weights with all that is needed to build it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import detectors
from bench.config.tree import from_tree, to_tree
from bench.errors import UserError
from bench.train.checkpoint import State, read_state, write_state
from detectors.detector import Detector
from detectors.families import DetectorConfig

WRAPPERS = ("model", "state_dict")
"""Under one of these keys people keep the state dict, beside others."""


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


@dataclass(frozen=True)
class WeightsFile:
    """Tensors by name; of weights that were trained here also the mean and std of the pixels that they know."""

    state: dict[str, Tensor]
    pixels: tuple[Sequence[float], Sequence[float]] | None = None


def read_weights(path: Path) -> WeightsFile:
    """Weights of a training, or a state dict as people save it; nothing in the file is ever run."""
    saved = _read_safetensors(path) if path.suffix == ".safetensors" else read_state(path)
    tree: Any = saved if isinstance(saved, Mapping) else {}
    inner = next((tree[key] for key in WRAPPERS if isinstance(tree.get(key), Mapping)), tree)
    state = {str(name): value for name, value in inner.items() if isinstance(value, Tensor)}
    if not state:
        raise UserError("cannot be read as weights", where=str(path), remedy="give a state dict, or a weights.pt")
    trained = tree.get("detector") if "digest" in tree else None
    return WeightsFile(state, (trained["mean"], trained["std"]) if trained else None)


def _read_safetensors(path: Path) -> dict[str, Tensor] | None:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise UserError("needs the package safetensors", where=str(path), remedy="install it") from error
    try:
        state: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError):
        return None
    return state


def load_detector(
    path: Path, device: torch.device | str = "cpu", *, config: DetectorConfig | None = None, **after_training: Any
) -> Detector:
    """The trained detector in evaluation mode, on request with other settings of what comes after training."""
    saved = read_state(path)
    if saved is None:
        what = "cannot be read as trained weights" if path.exists() else "no such file"
        raise UserError(what, where=str(path), remedy="train the variant again")
    config = config or from_tree(DetectorConfig, saved["detector"])
    model: Detector = detectors.build(replace(config, **after_training), num_classes=saved["num_classes"])
    model.load_state_dict(saved["model"])
    return model.to(device).eval()
