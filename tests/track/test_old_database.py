"""A database of another version of MLflow is explained, not touched."""

import sqlite3
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.track.tracker import Tracker


def at_version(root: Path, version: str) -> None:
    with sqlite3.connect(root / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))


VERSIONS = {"older": "451aebb31d03", "newer": "ffffffffffff"}  # pragma: allowlist secret


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
def test_is_explained(root: Path, version: str) -> None:
    at_version(root, version)
    with pytest.raises(
        UserError, match=r"another version of MLflow; keep a copy, then run: mlflow db upgrade sqlite:///"
    ):
        Tracker(None, root)
