"""A study file as typed objects: every row resolved to a whole recipe before anything starts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.config.overrides import Setting, resolve, settings_of
from bench.config.suggest import remedy
from bench.config.tree import ConfigError, from_tree, to_tree
from bench.config.yaml_file import Document, read_yaml
from bench.data.formats import DataConfig
from bench.data.input import InputConfig
from bench.errors import UserError
from bench.score.claims_language import parse
from bench.train.config import TrainConfig
from detectors import zoo
from detectors.config import Count
from detectors.families import DetectorConfig

RECIPE_KEYS = ("data", "detector", "input", "train")
FULL = "full"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that makes a row's result, besides the seed."""

    data: DataConfig
    detector: DetectorConfig
    input: InputConfig
    train: TrainConfig


@dataclass(frozen=True, kw_only=True)
class Published:
    """Numbers that a paper prints for the rows, in the paper's units (AP in percent)."""

    paper: str
    table: str
    rows: dict[str, dict[str, float]]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class StudyFile:
    """The keys of a study file, as they stand in it."""

    title: str
    about: str = ""
    variant: str
    data: dict[str, Any] | str
    detector: dict[str, Any] = field(default_factory=dict)
    input: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, dict[str, Any] | None]
    baseline: str = ""
    seeds: Count = 1
    protocol: str = "coco"
    published: Published | None = None
    claims: tuple[str, ...] = ()
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One named line of the leaderboard."""

    name: str
    variant: str
    recipe: Recipe
    about: str = ""
    published: dict[str, float] = field(default_factory=dict)

    @property
    def tree(self) -> dict[str, Any]:
        """The recipe as a tree."""
        tree: dict[str, Any] = to_tree(self.recipe)
        return tree


@dataclass(frozen=True)
class Study:
    """A study under one profile, ready to run."""

    name: str
    file: Path
    title: str
    profile: str
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    baseline: str
    protocol: str
    published: Published | None
    claims: tuple[str, ...]
    overrides: tuple[Setting, ...] = ()
    """what was set for all rows beside the file"""


def load_study(
    file: Path,
    *,
    profile: str = FULL,
    rows: Sequence[str] = (),
    seeds: int | None = None,
    overrides: Iterable[Setting] = (),
) -> Study:
    """Reads and checks a study file; every fault is one UserError that names file, line and key."""
    document = read_yaml(file)
    try:
        content = from_tree(StudyFile, document.data)
    except ConfigError as error:
        raise UserError(error.what, where=document.where(error.path), remedy=error.remedy) from error
    if profile != FULL and profile not in content.profiles:
        raise UserError(
            f"has no profile {profile!r}", where=str(file), remedy=remedy(profile, [FULL, *content.profiles])
        )
    names, overrides = _chosen_rows(document, content, rows), tuple(overrides)
    _check_claims(document, content)
    of_profile = settings_of(document, ("profiles", profile)) if content.profiles.get(profile) else []
    shared = [*_study_settings(document), *of_profile]
    published = content.published.rows if content.published else {}
    resolved = tuple(_row(document, content, name, shared, list(overrides), published.get(name, {})) for name in names)
    return Study(
        name=study_name(file),
        file=file,
        title=content.title,
        profile=profile,
        rows=resolved,
        seeds=tuple(range(seeds or content.seeds)),
        baseline=content.baseline or next(iter(content.rows)),
        protocol=content.protocol,
        published=content.published,
        claims=content.claims,
        overrides=overrides,
    )


def study_name(file: Path) -> str:
    """`paa/table4_topk` for a study that comes along, the file's name without its ending for any other."""
    from sweeps import FOLDER

    path = file.resolve()
    inside = path.relative_to(FOLDER) if path.is_relative_to(FOLDER) else Path(path.name)
    return inside.with_suffix("").as_posix()


def _study_settings(document: Document) -> list[Setting]:
    """What the file sets for all rows: the recipe keys at its top level."""
    return [
        Setting((key, *setting.path), setting.value, setting.where)
        for key in RECIPE_KEYS
        if document.data.get(key) not in (None, {})
        for setting in settings_of(document, (key,))
    ]


def _chosen_rows(document: Document, content: StudyFile, wanted: Sequence[str]) -> list[str]:
    if not content.rows:
        raise UserError("the study has no rows", where=document.where(("rows",)), remedy="name at least one")
    if content.baseline and content.baseline not in content.rows:
        where = document.where(("baseline",))
        raise UserError(
            f"no row is called {content.baseline!r}", where=where, remedy=remedy(content.baseline, content.rows)
        )
    for name in content.published.rows if content.published else ():
        if name not in content.rows:
            where = document.where(("published", "rows", name))
            raise UserError(f"no row is called {name!r}", where=where, remedy=remedy(name, content.rows))
    for name in wanted:
        if name not in content.rows:
            raise UserError(f"no row is called {name!r}", where="--rows", remedy=remedy(name, content.rows))
    return [name for name in content.rows if not wanted or name in wanted]


def _check_claims(document: Document, content: StudyFile) -> None:
    for i, claim in enumerate(content.claims):
        try:
            parse(claim)
        except UserError as error:
            raise UserError(str(error), where=document.where(("claims", str(i)))) from error


def _row(
    document: Document,
    content: StudyFile,
    name: str,
    shared: list[Setting],
    overrides: list[Setting],
    published: dict[str, float],
) -> Row:
    own = settings_of(document, ("rows", name)) if content.rows[name] else []
    plain = {s.path[0]: s for s in own if s.path in (("variant",), ("about",))}
    settings = [*shared, *(s for s in own if s.path not in (("variant",), ("about",))), *overrides]
    variant = plain["variant"].value if "variant" in plain else content.variant
    where = plain["variant"].where if "variant" in plain else document.where(("variant",))
    base = {key: {} for key in RECIPE_KEYS} | {"detector": to_tree(_variant(variant, where))}
    about = str(plain["about"].value) if "about" in plain else ""
    return Row(name, variant, resolve(Recipe, base, settings), about, published)


def _variant(name: Any, where: str) -> DetectorConfig:
    if name not in zoo.names():
        raise UserError(f"no variant is called {name!r}", where=where, remedy=remedy(name, zoo.names()))
    return zoo.config(name)
