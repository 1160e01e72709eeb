"""The folder in which the commands of the docs run: a small store and a small study are there, as the pages assume."""

from pathlib import Path

import pytest


@pytest.fixture
def docs_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.getbasetemp() / "docs"
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    return folder
