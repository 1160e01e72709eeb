"""What Ray and its processes keep during a session lies where it can, and is gone afterwards."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bench.train.distributed.temporary import FOLDER, session_folders

ASK = """
import tempfile
import ray
from bench.train.distributed.ray_session import ray_session
with ray_session(num_cpus=1):
    print(ray.get(ray.remote(tempfile.gettempdir).remote()))
"""


@pytest.fixture
def short() -> Iterator[Path]:
    with TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_folders_of_killed_processes_are_cleared_away():
    dead, alive = (Path(f"/tmp/{FOLDER}{pid}-test") for pid in (dead_process(), os.getpid()))
    dead.mkdir(), alive.mkdir()
    with session_folders() as own:
        assert all(folder.is_dir() for folder in own)
        assert not dead.exists()
        assert alive.exists()
    assert not any(folder.exists() for folder in own)
    alive.rmdir()


@pytest.mark.parametrize(("below", "where"), [("", "there"), ("x" * 100, "/tmp")])
def test_processes_keep_their_files_where_tmpdir_says_unless_no_socket_could_lie_there(
    short: Path, below: str, where: str
):
    wanted = short / below
    wanted.mkdir(exist_ok=True)
    asked = subprocess.run(
        [sys.executable, "-c", ASK],
        env=os.environ | {"TMPDIR": str(wanted)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert asked.returncode == 0, asked.stderr
    used = Path(asked.stdout.strip())
    assert used.parent == (wanted if where == "there" else Path(where))
    assert used.name.startswith(FOLDER)
    assert not used.exists()
    assert not list(wanted.iterdir())
