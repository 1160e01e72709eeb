"""Files that are either whole or not there, and a lock between processes that want to make the same folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sync(path: Path) -> None:
    """Has the kernel bring a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    publish(partial, path)


def publish(partial: Path, path: Path) -> None:
    """Gives a finished file (or folder) its name; a power cut leaves the old state or the new one."""
    sync(partial)
    partial.rename(path)
    sync(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a lock file; whoever comes second waits. The lock ends with its process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
