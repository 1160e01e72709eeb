"""The keys of a study file as they stand in it, and the checks that need no detector."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from bench.config.suggest import remedy
from bench.config.tree import ConfigError, from_tree
from bench.config.yaml_file import Document, KeyPath, read_yaml
from bench.errors import UserError
from bench.score.claims.language import parse
from bench.study.search.settings import Search
from detectors.config import Count, NonNegative, Positive


@dataclass(frozen=True, kw_only=True)
class Published:
    """Numbers that a paper prints for the rows, in the paper's units (AP in percent)."""

    paper: str
    table: str
    rows: dict[str, dict[str, float]] = field(default_factory=dict)
    others: dict[str, dict[str, float]] = field(default_factory=dict)
    """Rows of the paper's table that no row here measures: detectors that locbench does not train."""
    notes: dict[str, str] = field(default_factory=dict)
    """Footnotes of single rows."""
    schedule: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a training runs on. The numbers it gives do not depend on it but for rounding."""

    workers: Count | None = None
    least_workers: Count | None = None
    """With so few a training may start, or go on while others are away."""
    gpus_per_worker: NonNegative | None = None
    cpus_per_worker: Positive | None = None

    def under(self, other: "Resources") -> "Resources":
        """What the other says, and where it says nothing, what this one does."""
        said = {field.name: getattr(other, field.name) for field in fields(other)}
        return replace(self, **{name: value for name, value in said.items() if value is not None})


@dataclass(frozen=True, kw_only=True)
class StudyFile:
    """A row holds settings by dotted path below the recipe, and the keys of `RowWords`."""

    title: str
    about: str = ""
    recipe: str = ""
    """One that comes along, over which the study's own settings are laid."""
    variant: str
    data: dict[str, Any] | str = field(default_factory=dict)
    detector: dict[str, Any] = field(default_factory=dict)
    input: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, dict[str, Any] | None]
    baseline: str = ""
    seeds: Count = 1
    protocol: str = "coco"
    published: Published | None = None
    claims: tuple[str, ...] = ()
    search: Search | None = None
    resources: Resources = Resources()
    """Of all rows, under the profile `full`."""
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RowWords:
    """What a row says besides its settings."""

    variant: str = ""
    about: str = ""
    planned: str = ""
    """A variant that is yet to come: until the zoo has it, the row is skipped with that reason."""
    skip: str = ""
    """Why the row cannot run."""
    resources: Resources = Resources()


WORDS = frozenset(RowWords.__dataclass_fields__)


def read_study_file(file: Path) -> tuple[Document, StudyFile]:
    """Every fault is one UserError that names file, line and key."""
    document = read_yaml(file)
    try:
        content = from_tree(StudyFile, document.data)
    except ConfigError as error:
        raise UserError(error.what, where=document.where(error.path), remedy=error.remedy) from error
    _check_rows(document, content)
    _check_published(document, content)
    for i, claim in enumerate(content.claims):
        try:
            parse(claim)
        except UserError as error:
            raise UserError(str(error), where=document.where(("claims", str(i)))) from error
    return document, content


def row_words(document: Document, content: StudyFile, name: str) -> RowWords:
    said = {key: value for key, value in (content.rows[name] or {}).items() if key in WORDS}
    try:
        return from_tree(RowWords, said)
    except ConfigError as error:
        raise UserError(error.what, where=document.where(("rows", name, *error.path)), remedy=error.remedy) from error


def _check_rows(document: Document, content: StudyFile) -> None:
    if not content.rows:
        raise UserError("the study has no rows", where=document.where(("rows",)), remedy="name at least one")
    if content.baseline:
        _check_names(document, ("baseline",), [content.baseline], content.rows)
    if content.search:
        _check_names(document, ("search", "row"), [content.search.row], content.rows)


def _check_published(document: Document, content: StudyFile) -> None:
    published = content.published
    if published is None:
        return
    _check_names(document, ("published", "rows"), published.rows, content.rows)
    _check_names(document, ("published", "notes"), published.notes, [*content.rows, *published.others])
    for name in published.others:
        if name in content.rows:
            where = document.where(("published", "others", name))
            raise UserError(f"{name!r} is a row of this study", where=where, remedy="move it to published.rows")


def _check_names(document: Document, at: KeyPath, names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            where = document.where((*at, name) if (*at, name) in document.lines else at)
            raise UserError(f"no row is called {name!r}", where=where, remedy=remedy(name, known))
