"""Studies by name: the files that come along in `sweeps/`, or any path."""

from pathlib import Path

from bench.config.suggest import remedy
from bench.errors import UserError
from sweeps import FOLDER, PROFILES, RECIPES


def all_studies() -> dict[str, Path]:
    """Name -> file of every study that comes along."""
    files = sorted(file for file in FOLDER.rglob("*.yaml") if not {PROFILES, RECIPES} & {*file.parents})
    return {file.relative_to(FOLDER).with_suffix("").as_posix(): file for file in files}


def find_study(name: str) -> Path:
    """The file of a study given by name or by path."""
    known = all_studies()
    if name in known:
        return known[name]
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return path
    raise UserError(f"no study is called {name!r}", where="study", remedy=remedy(name, known))
