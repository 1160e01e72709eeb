"""Who works on what, when several runs share a storage: the system frees the locks of a process that dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Locks:
    """Locks by name under one storage, held by this process."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "locks"
        self._held: dict[str, int] = {}

    def take(self, name: str) -> bool:
        """Whether the lock is ours now; never waits."""
        if name in self._held:
            return True
        self._folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._folder / name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._held[name] = handle
        return True

    def free(self, name: str) -> None:
        """Files stay: to remove one could part two processes that wait for the same lock."""
        if name in self._held:
            os.close(self._held.pop(name))

    def free_all(self) -> None:
        for name in list(self._held):
            self.free(name)


@contextmanager
def waiting_for(root: Path, name: str) -> Iterator[None]:
    """Holds one lock, however long another process has it."""
    folder = root / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
