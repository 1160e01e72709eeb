"""What a conversion kept and what it dropped, and why: rows in = rows kept + rows reported."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.data.files import write_atomically
from bench.errors import UserError

EXAMPLES = 3
OnError = Literal["skip", "fail"]
FILE_NAME = "report.json"
TABLE_NAME = "report.txt"


@dataclass
class Reason:
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, count: int, examples: list[str]) -> None:
        self.count += count
        self.examples.extend(examples[: EXAMPLES - len(self.examples)])


@dataclass
class Tally:
    """Records of one sort: how many came in, how many were kept, why the others were not."""

    seen: int = 0
    kept: int = 0
    dropped: dict[str, Reason] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """Records that are neither kept nor reported; anything but 0 is a bug."""
        return self.seen - self.kept - sum(reason.count for reason in self.dropped.values())

    def drop(self, reason: str, examples: list[str], count: int = 1) -> None:
        self.dropped.setdefault(reason, Reason()).add(count, examples)

    def merge(self, other: "Tally") -> None:
        self.seen += other.seen
        self.kept += other.kept
        for name, reason in other.dropped.items():
            self.drop(name, reason.examples, reason.count)


@dataclass
class Report:
    """The tallies of images and of boxes, and notes on records that were kept but changed."""

    images: Tally = field(default_factory=Tally)
    boxes: Tally = field(default_factory=Tally)
    notes: dict[str, Reason] = field(default_factory=dict)
    on_error: OnError = "skip"

    def drop_image(self, reason: str, where: str, boxes: int = 0) -> None:
        """An image that was seen is left out, with the boxes on it."""
        self._refuse(reason, where)
        self.images.drop(reason, [where])
        if boxes:
            self.boxes.drop("its image was dropped", [where], boxes)

    def drop_box(self, reason: str, where: str) -> None:
        self._refuse(reason, where)
        self.boxes.drop(reason, [where])

    def note(self, what: str, where: str) -> None:
        self.notes.setdefault(what, Reason()).add(1, [where])

    def merge(self, other: "Report") -> None:
        self.images.merge(other.images)
        self.boxes.merge(other.boxes)
        for what, reason in other.notes.items():
            self.notes.setdefault(what, Reason()).add(reason.count, reason.examples)

    def refuse_any(self) -> None:
        """Under the policy "fail", for what was dropped before the policy was known."""
        for sort, reason, _, examples in self.rows():
            if sort != "kept":
                self.on_error = "fail"
                self._refuse(reason, examples)

    def check(self) -> None:
        """Raises when a record got lost without a reason."""
        if self.images.lost or self.boxes.lost:
            raise AssertionError(
                f"conversion lost {self.images.lost} images and {self.boxes.lost} boxes without a reason"
            )

    def rows(self) -> Iterator[tuple[str, str, int, str]]:
        """The lines of the table: sort of record, reason, count, first examples."""
        for sort, tally in (("image dropped", self.images), ("box dropped", self.boxes)):
            for name, reason in sorted(tally.dropped.items(), key=lambda item: (-item[1].count, item[0])):
                yield sort, name, reason.count, ", ".join(reason.examples)
        for name, reason in sorted(self.notes.items()):
            yield "kept", name, reason.count, ", ".join(reason.examples)

    def summary(self) -> str:
        return f"{self.images.kept} of {self.images.seen} images and {self.boxes.kept} of {self.boxes.seen} boxes kept"

    def table(self) -> str:
        """The report for people: one line a reason."""
        lines = [
            self.summary(),
            *(f"{sort:14}{count:>9}  {name}: {examples}" for sort, name, count, examples in self.rows()),
        ]
        return "\n".join(lines) + "\n"

    def to_tree(self) -> dict[str, Any]:
        return {
            "images": asdict(self.images),
            "boxes": asdict(self.boxes),
            "notes": {k: asdict(v) for k, v in self.notes.items()},
        }

    @classmethod
    def from_tree(cls, tree: dict[str, Any]) -> "Report":
        return cls(_tally(tree["images"]), _tally(tree["boxes"]), _reasons(tree["notes"]))

    def save(self, folder: Path) -> None:
        write_atomically(folder / FILE_NAME, json.dumps(self.to_tree(), indent=1).encode())
        write_atomically(folder / TABLE_NAME, self.table().encode())

    @classmethod
    def load(cls, folder: Path) -> "Report":
        return cls.from_tree(json.loads((folder / FILE_NAME).read_bytes()))

    def _refuse(self, reason: str, where: str) -> None:
        if self.on_error == "fail":
            raise UserError(reason, where=where, remedy="mend it, or drop such records with `--on-error skip`")


@contextmanager
def structural(where: Path | str) -> Iterator[None]:
    """Turns what reading a damaged annotation file raises into one line that names the file."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror or error})", where=str(where)) from error
    except RecursionError:
        raise UserError(
            "lists or objects nested too deep", where=str(where), remedy="this is no annotation file"
        ) from None


def _reasons(tree: dict[str, Any]) -> dict[str, Reason]:
    return {name: Reason(**reason) for name, reason in tree.items()}


def _tally(tree: dict[str, Any]) -> Tally:
    return Tally(tree["seen"], tree["kept"], _reasons(tree["dropped"]))
