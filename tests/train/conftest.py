"""A small synthetic data set and jobs on it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from jobs import job_on

from bench.data.converting.prepare import prepare
from bench.data.formats.synthetic import Config as Synthetic
from bench.data.store import Store
from bench.train.job import Job

MakeJob = Callable[..., Job]


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    folder = tmp_path_factory.mktemp("synthetic")
    config = Synthetic(train=24, val=6, size=64)
    return {split: prepare(config, folder / split, split=split, workers=1) for split in ("train", "val")}


@pytest.fixture
def make_job(stores: dict[str, Store], tmp_path: Path) -> MakeJob:
    def make(variant: str = "retinanet_tiny", out: str = "out", **train: Any) -> Job:
        return job_on(stores["train"], str(tmp_path / out), variant, **train)

    return make


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """As many threads as a worker has: the order of sums, and so the bits, depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
