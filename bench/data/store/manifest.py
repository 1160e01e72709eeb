"""What a store says about itself: classes, counts, split, source, shards, fingerprint."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.data.files import write_atomically
from bench.errors import UserError

SCHEMA_VERSION = 1
FILE_NAME = "manifest.json"


@dataclass(frozen=True)
class ClassName:
    """A class: its name and the id that its source gives it. Its place in the list is its label."""

    name: str
    source_id: int


@dataclass(frozen=True)
class Counts:
    images: int = 0
    images_without_boxes: int = 0
    boxes: int = 0
    crowd: int = 0
    difficult: int = 0
    masks: int = 0
    per_class: tuple[int, ...] = ()


@dataclass(frozen=True)
class Shard:
    file: str
    rows: int


@dataclass(frozen=True)
class Manifest:
    schema_version: int
    split: str
    classes: tuple[ClassName, ...]
    counts: Counts
    shards: tuple[Shard, ...]
    fingerprint: str
    plan: str
    source: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        write_atomically(folder / FILE_NAME, json.dumps(dataclasses.asdict(self), indent=1).encode())


def load(folder: Path) -> Manifest:
    """The manifest of a whole store; a folder without one is not a store, or not yet."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise UserError(
            "not a data store (it has no manifest.json)",
            where=str(folder),
            remedy="make one with `locbench data prepare`",
        )
    try:
        tree = json.loads(path.read_bytes())
        version = tree["schema_version"]
        if version != SCHEMA_VERSION:
            raise UserError(
                f"store of schema version {version}, this program reads {SCHEMA_VERSION}",
                where=str(path),
                remedy="prepare it again",
            )
        return Manifest(
            schema_version=version,
            split=tree["split"],
            classes=tuple(ClassName(**item) for item in tree["classes"]),
            counts=Counts(**{**tree["counts"], "per_class": tuple(tree["counts"]["per_class"])}),
            shards=tuple(Shard(**item) for item in tree["shards"]),
            fingerprint=tree["fingerprint"],
            plan=tree["plan"],
            source=tree["source"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"damaged manifest ({error})", where=str(path), remedy="prepare the store again") from error


def fingerprint(classes: Iterable[ClassName], row_digests: Iterable[bytes]) -> str:
    """The hash of a data set's content: the same from any path, machine, shard size or number of processes."""
    found = hashlib.sha256(json.dumps([SCHEMA_VERSION, [[c.name, c.source_id] for c in classes]]).encode())
    for digest in row_digests:
        found.update(digest)
    return found.hexdigest()
