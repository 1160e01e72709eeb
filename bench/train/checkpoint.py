"""Checkpoints in a folder: written whole or not at all, the last few kept, one that cannot be read passed over."""

import os
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import torch

from bench.errors import UserError

State = dict[str, Any]
NAME = "checkpoint-{:09d}.pt"
UNREADABLE = (RuntimeError, EOFError, OSError, LookupError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile)


class Checkpoints(Protocol):
    """Where a training saves itself; every rank calls `save`, the first one writes."""

    def latest(self) -> State | None: ...

    def save(self, iteration: int, state: Callable[[], State], metrics: dict[str, float]) -> None: ...


class NoCheckpoints:
    """For runs that nobody will resume."""

    def latest(self) -> State | None:
        return None

    def save(self, iteration: int, state: Callable[[], State], metrics: dict[str, float]) -> None:
        return None


class CheckpointFolder:
    """Checkpoints as files of one folder."""

    def __init__(self, folder: Path, keep: int = 2, rank: int = 0) -> None:
        self.folder, self.keep, self.rank = folder, keep, rank

    def latest(self) -> State | None:
        """The newest checkpoint that can be read."""
        for path in reversed(self.paths()):
            state = read_state(path)
            if state is not None:
                return state
        return None

    def save(self, iteration: int, state: Callable[[], State], metrics: dict[str, float]) -> None:
        if self.rank != 0:
            return
        write_state(self.folder / NAME.format(iteration), state() | {"metrics": metrics})
        for path in self.paths()[: -self.keep]:
            path.unlink(missing_ok=True)

    def paths(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.folder.glob(NAME.replace("{:09d}", "*")))


def write_state(path: Path, state: State) -> None:
    """A reader finds the file as it was before or whole, whatever happens while it is written."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        remedy = "make room or choose another folder, then run the same command: it goes on from the last checkpoint"
        raise UserError(f"cannot be written: {reason}", where=str(path), remedy=remedy) from error
    finally:
        with suppress(OSError):
            beside.unlink()


def read_state(path: Path, device: torch.device | str = "cpu") -> State | None:
    """What a file holds, or None when it is cut short or damaged; nothing in it is ever run."""
    try:
        state: State = torch.load(path, map_location=device, weights_only=True)
    except UNREADABLE:
        return None
    return state
