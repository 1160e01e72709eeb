"""What `locbench perf data` compares is equal: our batches and torchvision's, with both ways of its transforms."""

from pathlib import Path

import pytest
import torch
from torchvision.transforms import v2

from bench.data.converting.prepare import prepare
from bench.data.formats import coco
from bench.data.store import Store
from bench.perf.suites import data as perf


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_equal_those_of_torchvision(tmp_path: Path, workers: int):
    perf.write_coco(tmp_path / "few", 8)
    config = coco.Config(root=str(tmp_path / "few"), train="annotations/instances_train.json", val="")
    store = prepare(config, tmp_path / "store", split="train", workers=1)
    found = perf.ours(store, workers)
    resize = v2.Resize(perf.SHORT, max_size=perf.LONG)
    for transforms in (v2.Compose([resize, v2.ToImage()]), v2.Compose([v2.ToImage(), resize])):
        expected = perf.torchvision_side(tmp_path / "few", transforms, store, workers)()
        assert torch.equal(found["pixels"], expected["pixels"])
        torch.testing.assert_close(found["boxes"], expected["boxes"])


def test_a_million_rows_are_open_to_random_access(tmp_path: Path):
    perf.write_coco(tmp_path / "few", 4)
    config = coco.Config(root=str(tmp_path / "few"), train="annotations/instances_train.json", val="")
    small = prepare(config, tmp_path / "store", split="train", workers=1)
    large = Store.open(perf.repeated(small, tmp_path / "large", rows=10_000))
    assert len(large) == 10_000
    assert large.row(9_999).image == small.row(3).image
    assert len(large.column("width")) == 10_000
