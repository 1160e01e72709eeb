"""The sizes at which every study runs; a study's own `profiles` add to those that come along, or name others."""

from dataclasses import dataclass
from pathlib import Path

from bench.config.overrides import Setting, settings_of
from bench.config.suggest import remedy
from bench.config.tree import from_tree
from bench.config.yaml_file import Document, read_yaml
from bench.errors import UserError
from bench.study.definition.recipes import RecipeFile, recipe_settings
from bench.study.definition.study_file import StudyFile
from detectors.shrink import Size
from sweeps import PROFILES

FULL = "full"


@dataclass(frozen=True, kw_only=True)
class ProfileFile(RecipeFile):
    """The keys of a profile's file: settings that come after the study's own and before its rows'."""

    detector_size: Size = "as_is"


@dataclass(frozen=True)
class Profile:
    """`full` sets nothing: it is the study as it stands."""

    name: str
    detector_size: Size = "as_is"
    settings: tuple[Setting, ...] = ()


def profile_files() -> dict[str, Path]:
    """Name -> file of the profiles that come along."""
    return {file.stem: file for file in sorted(PROFILES.glob("*.yaml"))}


def load_profile(document: Document, content: StudyFile, name: str) -> Profile:
    """The profile of a study by name."""
    files = profile_files()
    if name not in (FULL, *files, *content.profiles):
        known = dict.fromkeys((FULL, *files, *content.profiles))
        raise UserError(f"has no profile {name!r}", where=str(document.file), remedy=remedy(name, known))
    size: Size = "as_is"
    settings: list[Setting] = []
    if name in files:
        shared = read_yaml(files[name])
        size = from_tree(ProfileFile, shared.data).detector_size
        settings = recipe_settings(shared)
    own = settings_of(document, ("profiles", name)) if content.profiles.get(name) else []
    return Profile(name, size, (*settings, *own))
