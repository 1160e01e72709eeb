"""A study as typed objects: every row a whole recipe, or skipped with its reason, before anything starts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.config.overrides import Setting, resolve, settings_of
from bench.config.suggest import remedy
from bench.config.tree import to_tree
from bench.config.yaml_file import Document
from bench.data.formats import DataConfig
from bench.data.input import InputConfig
from bench.errors import UserError
from bench.study.definition.profiles import FULL, Profile, load_profile
from bench.study.definition.recipes import RECIPE_KEYS, load_recipe
from bench.study.definition.study_file import (
    WORDS,
    Published,
    Resources,
    RowWords,
    StudyFile,
    read_study_file,
    row_words,
)
from bench.study.search.settings import Search
from bench.study.search.trial import UNDER_WAY, Told, Trial
from bench.train.config import TrainConfig
from detectors import zoo
from detectors.families import DetectorConfig
from detectors.shrink import shrink


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that makes a row's result, besides the seed."""

    data: DataConfig
    detector: DetectorConfig
    input: InputConfig
    train: TrainConfig


@dataclass(frozen=True)
class Row:
    """One named line of the leaderboard."""

    name: str
    variant: str
    recipe: Recipe
    about: str = ""
    published: dict[str, float] = field(default_factory=dict)
    trial_of: str = ""
    """The row whose settings are searched."""
    after: "Row | None" = None
    """What its training goes on from."""
    resources: Resources = field(default_factory=Resources)

    @property
    def stops_early(self) -> bool:
        return self.recipe.train.until < 1

    @property
    def tree(self) -> dict[str, Any]:
        """The recipe as a tree."""
        tree: dict[str, Any] = to_tree(self.recipe)
        return tree


@dataclass(frozen=True)
class Skipped:
    """A row that cannot run yet; its published numbers stand on the leaderboard all the same."""

    name: str
    reason: str
    about: str = ""
    published: dict[str, float] = field(default_factory=dict)


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
    skipped: tuple[Skipped, ...] = ()
    searching: "Callable[[], Searching] | None" = None
    """begins its search"""


class Searching:
    """The rows that a search makes of one row, as it hears of the results of those before."""

    def __init__(self, search: Search, make: Callable[[Trial, Row | None], Row]) -> None:
        self._searcher, self._make = search.searcher(), make
        self._told: list[Told] = []
        self._rows: list[Row] = []

    def next(self, results: Mapping[str, Mapping[str, float] | None]) -> tuple[Row, ...]:
        """Rows to run after these results, by name, of rows that have ended; none for now, or when all is known."""
        for i, (row, (trial, result)) in enumerate(zip(self._rows, self._told, strict=True)):
            if result is UNDER_WAY:
                self._told[i] = trial, results.get(row.name, UNDER_WAY)
        if self._searcher.waits and any(result is UNDER_WAY for _, result in self._told):
            return ()
        proposed = self._searcher.next(self._told)
        new = [self._make(trial, None if trial.after is None else self._rows[trial.after]) for trial in proposed]
        self._told += [(trial, UNDER_WAY) for trial in proposed]
        self._rows += new
        return tuple(new)


def load_study(
    file: Path,
    *,
    profile: str = FULL,
    rows: Sequence[str] = (),
    seeds: int | None = None,
    overrides: Iterable[Setting] = (),
) -> Study:
    """Reads and checks a study file; every fault is one UserError that names file, line and key."""
    document, content = read_study_file(file)
    names, overrides = _chosen_rows(content, rows), tuple(overrides)
    shared = load_recipe(document, content)
    makes = _RowMaker(document, content, shared, load_profile(document, content, profile), overrides)
    made = [makes.row(name) for name in names]
    return Study(
        name=study_name(file),
        file=file,
        title=content.title,
        profile=profile,
        rows=tuple(row for row in made if isinstance(row, Row)),
        seeds=tuple(range(seeds or content.seeds)),
        baseline=content.baseline or next(iter(content.rows)),
        protocol=content.protocol,
        published=content.published,
        claims=content.claims,
        overrides=overrides,
        skipped=tuple(row for row in made if isinstance(row, Skipped)),
        searching=makes.searching(names),
    )


def study_name(file: Path) -> str:
    """`paa/table4_topk` for a study that comes along, the file's name without its ending for any other."""
    from sweeps import FOLDER

    path = file.resolve()
    inside = path.relative_to(FOLDER) if path.is_relative_to(FOLDER) else Path(path.name)
    return inside.with_suffix("").as_posix()


def _chosen_rows(content: StudyFile, wanted: Sequence[str]) -> list[str]:
    for name in wanted:
        if name not in content.rows:
            raise UserError(f"no row is called {name!r}", where="--rows", remedy=remedy(name, content.rows))
    return [name for name in content.rows if not wanted or name in wanted]


@dataclass(frozen=True)
class _RowMaker:
    """Settings in the order in which later ones win: variant, recipe, study, profile, row, command line."""

    document: Document
    content: StudyFile
    shared: list[Setting]
    """by the recipe and the study"""
    profile: Profile
    overrides: tuple[Setting, ...]

    def searching(self, names: Sequence[str]) -> Callable[[], Searching] | None:
        search = self.content.search
        if search is None or search.row not in names or isinstance(self.row(search.row), Skipped):
            return None
        return partial(Searching, search, partial(self._trial, search.row))

    def _trial(self, name: str, trial: Trial, after: Row | None) -> Row:
        where = self.document.where(("search", "space"))
        values = trial.values | ({"train.until": trial.until} if trial.until < 1 else {})
        row = self.row(name, tuple(Setting(tuple(key.split(".")), value, where) for key, value in values.items()))
        assert isinstance(row, Row)
        return replace(row, name=f"{name} {trial.label}", published={}, trial_of=name, after=after)

    def row(self, name: str, tried: tuple[Setting, ...] = ()) -> Row | Skipped:
        words = row_words(self.document, self.content, name)
        published = self.content.published.rows.get(name, {}) if self.content.published else {}
        reason = _reason_to_skip(words)
        if reason:
            return Skipped(name, reason, words.about, published)
        own = settings_of(self.document, ("rows", name)) if self.content.rows[name] else []
        settings = [
            *self.shared,
            *self.profile.settings,
            *(setting for setting in own if setting.path[0] not in WORDS),
            *tried,
            *self.overrides,
        ]
        variant = words.planned or words.variant or self.content.variant
        base = {key: {} for key in RECIPE_KEYS} | {"detector": to_tree(self._variant(name, words))}
        recipe = resolve(Recipe, base, settings)
        recipe = replace(recipe, detector=shrink(recipe.detector, self.profile.detector_size))
        resources = self.content.resources.under(words.resources) if self.profile.name == FULL else Resources()
        return Row(name, variant, recipe, words.about, published, resources=resources)

    def _variant(self, row: str, words: RowWords) -> DetectorConfig:
        name = words.planned or words.variant or self.content.variant
        if name not in zoo.names():
            where = self.document.where(("rows", row, "variant") if words.variant else ("variant",))
            raise UserError(f"no variant is called {name!r}", where=where, remedy=remedy(name, zoo.names()))
        return zoo.config(name)


def _reason_to_skip(words: RowWords) -> str:
    if words.planned and words.planned not in zoo.names():
        return words.skip or f"the variant {words.planned} is yet to come"
    return "" if words.planned else words.skip
