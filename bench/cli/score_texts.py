"""What `evaluate` and `rescore` print."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.cli.listing import table, text
from bench.score.rescore import Rescored
from bench.score.scores import Scores

SHOWN = ("AP", "AP50", "AP75", "AP90", "AR100", "pearson_iou_score")


def metrics(scores: Scores, per_class: bool) -> str:
    """All numbers, and on request those of each class."""
    lines = [f"  {name:<20} {value:.6f}" for name, value in scores.metrics.items()]
    if not per_class:
        return "\n".join(lines)
    shown = [name for name in SHOWN if name in next(iter(scores.per_class.values()), {})]
    of_classes = table("class", *shown)
    for name, values in scores.per_class.items():
        of_classes.add_row(name, *(f"{values[metric]:.4f}" for metric in shown))
    return "\n".join([*lines, text(of_classes)])


def settings(rescored: Sequence[Rescored]) -> str:
    """One line a setting."""
    scored = table("setting", *SHOWN, "detections")
    for one in rescored:
        values = one.scores.metrics if one.scores is not None else {}
        numbers = [f"{values[metric]:.4f}" if metric in values else "" for metric in SHOWN]
        scored.add_row(name(one.changes) or "as given", *numbers, str(len(one.detections)))
    return text(scored)


def name(changes: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in changes.items())


def draw(scores: Scores, folder: Path, data: Path) -> list[Path]:
    """All pictures of an evaluation; galleries too where the data hold the images."""
    from bench.score.pictures import report

    return report.draw(scores, folder, name=folder.name, load=report.images_of_store(data) if data.is_dir() else None)
