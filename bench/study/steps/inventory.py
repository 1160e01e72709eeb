"""What the steps of a storage take and how old they are, and the removal of those that nobody asks for."""

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.study.steps.graph import Cell
from bench.study.steps.locks import Locks
from bench.study.steps.result import RESULT, read_json, write_json

USERS = "users.json"
DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class Entry:
    """One step's folder."""

    folder: Path
    done: bool
    size: int
    used: float
    """When a run last asked for it, or it was made: seconds since 1970."""
    users: tuple[str, ...]
    """Rows that asked for it, as `study (profile): row`."""

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def kind(self) -> str:
        return self.name.partition("-")[0]

    def days(self, now: float) -> float:
        return max(0.0, now - self.used) / DAY_SECONDS


def note_users(root: Path, study: str, plan: Sequence[Cell]) -> None:
    """Writes down beside each step who asked for it; the file's age is the age of the last new asker."""
    users: dict[Path, set[str]] = {}
    for cell in plan:
        for step in (*cell.earlier, *cell.steps):
            users.setdefault(root / "steps" / step.name, set()).add(f"{study}: {cell.row.name}")
    for folder, names in users.items():
        known = set(read_json(folder / USERS).get("users", []))
        if folder.is_dir() and not names <= known:
            write_json(folder / USERS, {"users": sorted(known | names)})


def entries(root: Path) -> list[Entry]:
    """All steps below a storage, the largest first."""
    folders = [folder for folder in (root / "steps").glob("*-*") if folder.is_dir()]
    return sorted(map(_entry, folders), key=lambda entry: -entry.size)


def prune(root: Path, *, days: float, studies: Sequence[str] = ()) -> Iterator[Entry]:
    """Removes what was not used for so long; with `studies`, only what they alone asked for. Running steps stay."""
    now, locks = time.time(), Locks(root)
    for entry in entries(root):
        theirs = not studies or (entry.users and all(_study_of(user) in studies for user in entry.users))
        if entry.days(now) >= days and theirs and locks.take(entry.name):
            shutil.rmtree(entry.folder)
            locks.free(entry.name)
            yield entry


def _entry(folder: Path) -> Entry:
    files = [path.stat() for path in folder.rglob("*") if path.is_file()]
    result, users = folder / RESULT, folder / USERS
    marks = [path.stat().st_mtime for path in (result, users) if path.exists()] or [folder.stat().st_mtime]
    asked = tuple(read_json(users).get("users", ()))
    return Entry(folder, result.is_file(), sum(file.st_size for file in files), max(marks), asked)


def _study_of(user: str) -> str:
    return user.partition(":")[0].partition(" ")[0]
