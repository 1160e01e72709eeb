"""What every data format gives: a source of records, cut into chunks that any process can turn into rows."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from bench.data.converting.report import Report
from bench.data.store.manifest import ClassName
from bench.data.store.row import Row


class Chunk(ABC):
    """Some consecutive images of a source: small, picklable, readable in any process."""

    @abstractmethod
    def rows(self, report: Report) -> Iterator[Row]:
        """The rows of the images that can be used; the report hears of everything else."""


class Source(ABC):
    """One split of a data set, indexed: classes and the number of images are known, the images are not read yet.

    `found` holds what indexing already dropped. `key` names the content well enough to go on with a half-made store.
    """

    classes: tuple[ClassName, ...]
    split: str
    found: Report

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def chunk(self, start: int, stop: int) -> Chunk: ...

    @abstractmethod
    def key(self) -> Any:
        """Something printable that changes when the source's records do."""


def label_of(classes: tuple[ClassName, ...]) -> dict[str, int]:
    return {item.name: label for label, item in enumerate(classes)}
