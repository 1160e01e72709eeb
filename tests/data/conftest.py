"""Small stores that several tests read."""

from pathlib import Path

import pytest

from bench.data.converting.prepare import prepare_splits
from bench.data.formats.synthetic import Config
from bench.data.store import Store


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    """Synthetic scenes: 48 to train on, 17 to evaluate."""
    folder: Path = tmp_path_factory.mktemp("tiny")
    return prepare_splits(Config(train=48, val=17, size=64), folder, workers=1)
