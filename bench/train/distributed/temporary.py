"""Folders for what Ray and its processes keep during a session: Ray kills them before they could clear theirs away."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

FOLDER = "locbench-ray-"
SOCKET_BYTES = 107
"""The longest path that a socket may have. Ray's own leave no room for more than `/tmp`."""
BELOW_FOLDER = len(f"/{FOLDER}4194304-12345678/torch-shm-dir-123456/manager.sock")
"""What those of Ray's processes, such as the ones between a loader and its processes, add to a folder's path."""


@contextmanager
def session_folders() -> Iterator[tuple[Path, Path]]:
    """One for what Ray itself keeps, one for the temporary files of its processes; both go with the session."""
    wanted = Path(tempfile.gettempdir())
    short = Path("/tmp") if Path("/tmp").is_dir() else wanted
    own = _own_folder(short), _own_folder(wanted if _sockets_fit(wanted) else short)
    try:
        yield own
    finally:
        for folder in own:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def temporary_files(folder: Path) -> Iterator[None]:
    """Where those of the processes started meanwhile lie."""
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


def _sockets_fit(place: Path) -> bool:
    return len(os.fsencode(place)) + BELOW_FOLDER <= SOCKET_BYTES


def _own_folder(place: Path) -> Path:
    """Named for this process, so that those of processes that were killed can be told and cleared away."""
    for left in place.glob(f"{FOLDER}*"):
        owner = left.name.removeprefix(FOLDER).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-", dir=place))
