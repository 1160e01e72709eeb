"""What a training starts from: nothing, weights that others publish, or a file, which counts by its content."""

import hashlib
import sys
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

from torch import Tensor

from bench.errors import UserError
from bench.train.weights.published import (
    COCO,
    SETTING,
    TO_SAME_PIXELS,
    WITHOUT_EPS,
    categories,
    coco_weights,
    doubt_about_pixels,
    fetch,
    file_of,
    imagenet_weights,
    other_pixels,
)
from bench.train.weights.saved import read_weights
from detectors.detector import Detector
from detectors.families import DetectorConfig
from detectors.torchvision_weights import count_labels, of_torchvision
from detectors.weights import load_weights

NONE, IMAGENET, ON_COCO = KEYWORDS = ("none", "imagenet", "coco")
NOTE = "first_weights.txt"
SHOWN = 6


def absolute(weights: str) -> str:
    """A file's path as other processes need it; the keywords as they are."""
    return weights if weights in KEYWORDS else str(Path(weights).expanduser().absolute())


def identity(weights: str, detector: DetectorConfig) -> str:
    """What tells first weights apart: the published file, or the content of one's own, wherever it lies.

    Where none are published a study may still be planned: the row whose training needs them will fail, and say why.
    """
    if weights not in KEYWORDS:
        return _content(_found(weights))
    try:
        return NONE if weights == NONE else file_of(_published(weights, detector))
    except UserError:
        return weights


def give_first_weights(model: Detector, weights: str, class_names: Sequence[str]) -> str:
    """Loads them into a new model; says in a line what they were and what they were not for, if there is any to say."""
    rest, said = _load(model, weights, class_names) if weights != NONE else (_names(model), [NONE])
    if rest and weights != NONE:
        said.append(f"random at first: {_summed_up(rest, _names(model))}")
    stuck = _frozen_at_random(model, rest)
    if stuck and getattr(model.config, "trains", "all") == "quality":
        raise UserError(
            f"only the quality part trains, and {stuck} would stay random",
            where=SETTING,
            remedy="set it to the weights of a trained detector of the same parts, or detector.trains to all",
        )
    if stuck:
        said.append(f"random and frozen: {stuck}; better set train.weights, or detector.backbone.frozen_stages: 0")
    return f"first weights: {'; '.join(said)}" if weights != NONE or stuck else ""


def leave_note(line: str, folder: Path) -> None:
    """On stderr, and beside the training's results."""
    if not line:
        return
    print(line, file=sys.stderr, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NOTE).write_text(line + "\n")


def _load(model: Detector, weights: str, class_names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of the parameters that no weights were for, and what there is to say of those that were."""
    if weights in KEYWORDS:
        name = _published(weights, model.config)
        title, state, remark = file_of(name), fetch(name), _remark_on_eps(model.config, name)
    else:
        title, state, remark = _of_file(_found(weights), model.config)
    try:
        rest = load_weights(model, state, _classes(state, class_names))
    except ValueError as error:
        raise UserError(str(error).removeprefix("weights: "), where=f"{SETTING} = {weights}") from error
    count = len(_names(model))
    return rest, [text for text in (f"{title}, {count - len(rest)} of {count} tensors", remark) if text]


def _of_file(path: Path, detector: DetectorConfig) -> tuple[str, dict[str, Tensor], str]:
    file = read_weights(path)
    if file.pixels is None:
        return path.name, file.state, "" if of_torchvision(file.state) else doubt_about_pixels(detector)
    fault = other_pixels(detector, path.name, *file.pixels)
    if fault:
        raise UserError(fault, where=SETTING, remedy=TO_SAME_PIXELS)
    return path.name, file.state, ""


def _published(weights: str, detector: DetectorConfig) -> str:
    return imagenet_weights(detector) if weights == IMAGENET else coco_weights(detector)


def _found(weights: str) -> Path:
    path = Path(absolute(weights))
    if not path.is_file():
        remedy = f"give a file that every machine of the training sees, or one of {', '.join(KEYWORDS)}"
        raise UserError(f"no such file: {path}", where=SETTING, remedy=remedy)
    return path


def _content(path: Path) -> str:
    found = path.stat()
    return _hash(path, found.st_size, found.st_mtime_ns)


@cache
def _hash(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return f"sha256-{hashlib.file_digest(file, 'sha256').hexdigest()}"


def _classes(state: dict[str, Tensor], class_names: Sequence[str]) -> list[int] | None:
    """Torchvision's labels of the classes: by name in weights of COCO, in order where there are as many, else none."""
    if not of_torchvision(state):
        return None
    labels, known = count_labels(state), categories(next(iter(COCO.values())))
    if labels == len(known):
        return [known.index(name) for name in class_names] if set(class_names) <= set(known) else []
    return None if labels == len(class_names) + 1 else []


def _remark_on_eps(detector: DetectorConfig, name: str) -> str:
    eps = getattr(getattr(detector, "backbone", None), "norm_eps", 0)
    return "made for detector.backbone.norm_eps: 0" if name in WITHOUT_EPS and eps else ""


def _names(model: Detector) -> list[str]:
    return [name for name in model.state_dict() if not name.endswith("num_batches_tracked")]


def _frozen_at_random(model: Detector, rest: Collection[str]) -> str:
    """What will never be anything but random."""
    learns = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    return _summed_up([name for name in learns if not learns[name] and name in set(rest)], list(learns))


def _summed_up(names: Sequence[str], of: Collection[str]) -> str:
    """The shortest prefixes that stand for these names and for no others."""
    others = [name for name in of if name not in set(names)]
    found: dict[str, None] = {}
    for name in names:
        parts = name.split(".")
        prefixes = (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))
        found[next(prefix for prefix in prefixes if not any(f"{n}.".startswith(f"{prefix}.") for n in others))] = None
    shown = list(found)[:SHOWN]
    return ", ".join(shown) + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
