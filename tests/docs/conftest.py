"""The folder in which the commands of the docs run: as the pages assume, the quickstart was run there, if small."""

from pathlib import Path

import pytest

import bench
from bench.data.converting.prepare import prepare_splits
from bench.data.formats import synthetic

SMALL = {"train.epochs": 1, "data.train": 40, "data.val": 20}


@pytest.fixture(scope="session")
def quickstarted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    bench.run("quickstart", rows=["retinanet", "paa"], settings=SMALL, storage=folder / "runs").raise_if_failed()
    prepare_splits(synthetic.Config(train=8, val=4), folder / "stores" / "mine")
    return folder


@pytest.fixture
def docs_folder(quickstarted: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(quickstarted)
    # What the machine has left just now is no matter of the docs.
    monkeypatch.setattr("bench.doctor.DISK_WANTED", 0)
    monkeypatch.setattr("bench.doctor.MEMORY_WANTED", 0)
    return quickstarted
