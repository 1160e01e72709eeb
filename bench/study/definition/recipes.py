"""How a paper trains: what its studies share, so that each says only what it does differently."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.config.overrides import Setting, settings_of
from bench.config.suggest import remedy
from bench.config.tree import from_tree
from bench.config.yaml_file import Document, read_yaml
from bench.errors import UserError
from bench.study.definition.study_file import StudyFile
from sweeps import RECIPES

RECIPE_KEYS = ("data", "detector", "input", "train")


@dataclass(frozen=True, kw_only=True)
class RecipeFile:
    """The keys of a recipe's file."""

    about: str
    data: dict[str, Any] = field(default_factory=dict)
    detector: dict[str, Any] = field(default_factory=dict)
    input: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)


def recipe_files() -> dict[str, Path]:
    """Name -> file of the recipes that come along."""
    return {file.stem: file for file in sorted(RECIPES.glob("*.yaml"))}


def load_recipe(document: Document, content: StudyFile) -> list[Setting]:
    """What a study sets for all rows: the settings of its recipe, and its own laid over them."""
    shared = _named(document, content.recipe) if content.recipe else []
    settings = [*shared, *recipe_settings(document)]
    if not any(setting.path[0] == "data" for setting in settings):
        raise UserError(
            "the study does not say on what data it runs",
            where=document.where(()),
            remedy=f"write `data:`, or `recipe:` with one of {', '.join(recipe_files())}",
        )
    return settings


def _named(document: Document, name: str) -> list[Setting]:
    files = recipe_files()
    if name not in files:
        raise UserError(f"no recipe is called {name!r}", where=document.where(("recipe",)), remedy=remedy(name, files))
    shared = read_yaml(files[name])
    from_tree(RecipeFile, shared.data)
    return recipe_settings(shared)


def recipe_settings(document: Document) -> list[Setting]:
    """What a file sets for all rows: the recipe keys at its top level."""
    return [
        Setting((key, *setting.path), setting.value, setting.where)
        for key in RECIPE_KEYS
        if document.data.get(key) not in (None, {})
        for setting in settings_of(document, (key,))
    ]
