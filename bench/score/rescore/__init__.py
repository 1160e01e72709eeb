"""Other `post` settings on stored raw predictions: no network, many settings at once.

What a `post` says of an image depends on that image alone, so work is cut by setting and by stretches of images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from bench.config.overrides import Setting, override
from bench.config.tree import ConfigError, from_tree, to_tree
from bench.errors import UserError
from bench.progress import Task
from bench.score.protocols.protocol import Protocol
from bench.score.rescore.workers import choose_workers
from bench.score.scores import Scores
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from bench.score.tables.raw_file import RawFile
from detectors.parts.post import PostConfig

STRETCH = 256
"""images a piece of work"""


@dataclass(frozen=True)
class Rescored:
    """One setting: what differs from the base, the whole `post`, its detections, and scores where truth was given."""

    changes: dict[str, Any]
    post: PostConfig
    detections: Detections
    scores: Scores | None
    """without the precision and recall arrays, which are large"""


def rescore(
    raw: RawFile | Path,
    post: PostConfig | Mapping[str, Any],
    sweep: Mapping[str, Sequence[Any]] | None = None,
    *,
    truth: GroundTruth | None = None,
    protocol: Protocol | str = "coco",
    workers: int | None = None,
    on_ray: bool = False,
) -> list[Rescored]:
    """All combinations of the swept values, a setting of `post` each (`vote.sigma`, or `sigma`), in their order.

    `workers` are processes, by default as many as there are cores unless the work is small; with `on_ray` the pieces
    of work are tasks of the Ray cluster that this process belongs to.
    """
    file = raw if isinstance(raw, RawFile) else RawFile(raw)
    changes, posts = settings(post, sweep or {})
    _refuse_other_data(file, truth)
    num_images = truth.num_images if truth is not None else file.num_images
    starts = range(0, len(file), STRETCH)
    with choose_workers(file, len(posts), workers, on_ray) as team, Task("rescore", len(posts), "settings") as task:
        parts = [[team.apply(one, start, STRETCH) for start in starts] for one in posts]
        found = [Detections.joined([part() for part in own], num_images, str(file.path)) for own in parts]
        pending = [None if truth is None else team.evaluate(one, truth, protocol) for one in found]
        results = []
        for change, one, detections, scores in zip(changes, posts, found, pending, strict=True):
            results.append(Rescored(change, one, detections, scores() if scores else None))
            task.advance()
        return results


def settings(
    post: PostConfig | Mapping[str, Any], sweep: Mapping[str, Sequence[Any]]
) -> tuple[list[dict[str, Any]], list[PostConfig]]:
    """What each combination of the swept values changes, and the config that it makes; a wrong one is a UserError."""
    tree = to_tree(post) if isinstance(post, PostConfig) else dict(post)
    names = [_full_name(tree, key) for key in sweep]
    changes = [dict(zip(names, values, strict=True)) for values in product(*sweep.values())]
    return changes, [_changed(tree, change) for change in changes]


def _full_name(tree: Mapping[str, Any], key: str) -> str:
    """`sigma` may stand for `vote.sigma` where nothing else is called so."""
    found = [name for name in _names(tree, "") if name.rpartition(".")[2] == key]
    if "." in key or key in tree or not found:
        return key
    if len(found) > 1:
        raise UserError(f"{key!r} may be {' or '.join(found)}", where="--sweep", remedy="name one of them in full")
    return found[0]


def _names(tree: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _changed(tree: dict[str, Any], change: dict[str, Any]) -> PostConfig:
    written = [Setting(tuple(key.split(".")), value, f"--sweep {key}") for key, value in change.items()]
    try:
        return from_tree(PostConfig, override(tree, written))  # type: ignore[type-abstract,unused-ignore]
    except ConfigError as error:
        shown = ", ".join(f"{key}={value}" for key, value in change.items())
        raise UserError(str(error), where=f"post with {shown}" if shown else "post") from None


def _refuse_other_data(file: RawFile, truth: GroundTruth | None) -> None:
    if truth is None:
        return
    if file.header.num_classes != truth.num_classes or file.num_images > truth.num_images:
        raise UserError(
            f"was predicted for {file.header.num_classes} classes and at least {file.num_images} images; "
            f"the data have {truth.num_classes} and {truth.num_images}",
            where=str(file.path),
            remedy="give the data that the predictions were made for",
        )
