"""What an evaluation leaves beside its numbers for the page to draw: the artifact `scores.json` of a run.

All parts are optional, all numbers are fractions, not points:

    {"schema": 1,
     "ap_over_iou": {"iou": [0.5, 0.55, ...], "ap": [...]},
     "pr":          {"0.50": {"recall": [...], "precision": [...]}, "0.75": ..., "0.90": ...},
     "reliability": {"score": {"predicted": [...], "actual": [...], "count": [...]}, "<quality>": ...},
     "errors":      {"Cls": 0.03, "Loc": 0.05, "Both": ..., "Dupe": ..., "Bkg": ..., "Miss": ...},
     "per_class":   {"person": {"AP": 0.51, "AP50": ...}, ...},
     "resamples":   {"key": "<data and draw>", "AP": [...]}}

`reliability` compares what was predicted (score, or predicted IoU) with what came true (precision, or actual IoU) in
bins. `resamples` holds a metric on bootstrap resamples of the images; runs with the same key drew the same images,
which makes every difference of two rows a paired one.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SCHEMA = 1
FILE = "scores.json"
PARTS = ("ap_over_iou", "pr", "reliability", "errors", "per_class", "resamples")


def read_curves(path: Path) -> dict[str, Any]:
    """The parts that this version knows; nothing of a file that is damaged or of another version."""
    try:
        tree = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(tree, dict) or tree.get("schema") != SCHEMA:
        return {}
    return {name: tree[name] for name in PARTS if isinstance(tree.get(name), dict)}


def mean_of(trees: Sequence[Any]) -> Any:
    """The mean over seeds, leaf by leaf, of what all of them have in the same shape."""
    first = trees[0]
    if len(trees) == 1:
        return first
    if isinstance(first, Mapping):
        others = [tree for tree in trees if isinstance(tree, Mapping)]
        return {name: mean_of([tree[name] for tree in others]) for name in first if all(name in t for t in others)}
    if isinstance(first, list):
        same = [tree for tree in trees if isinstance(tree, list) and len(tree) == len(first)]
        return np.mean(np.array(same, dtype=float), axis=0).tolist() if first else []
    if isinstance(first, int | float) and not isinstance(first, bool):
        numbers = [tree for tree in trees if isinstance(tree, int | float)]
        return math.fsum(numbers) / len(numbers)
    return first
