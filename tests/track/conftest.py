"""A tracker on a fresh sqlite file; one migrated database is copied for each test, since making one takes seconds."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.track.tracker import Tracker


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("empty")
    Tracker(None, root).close()
    return root / "mlflow.db"


@pytest.fixture
def root(tmp_path: Path, empty_database: Path) -> Path:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def tracker(root: Path) -> Iterator[Tracker]:
    with Tracker(None, root) as opened:
        yield opened


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
