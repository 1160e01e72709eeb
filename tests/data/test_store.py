"""A store is whole or not there; its fingerprint is that of the content; verification finds what was changed."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from layouts import simple_coco

from bench import api
from bench.data.converting.prepare import prepare, prepare_splits
from bench.data.formats.synthetic import Config
from bench.data.looking.gallery import show
from bench.data.looking.verify import verify
from bench.data.store import Store, shards
from bench.errors import UserError
from bench.train.distributed.ray_session import ray_session


def test_the_fingerprint_is_that_of_the_content(tmp_path: Path):
    one = simple_coco(tmp_path / "one", count=7)
    shutil.copytree(one, tmp_path / "elsewhere" / "two")
    stores = [
        prepare(one, tmp_path / "a", workers=1),
        prepare(tmp_path / "elsewhere" / "two", tmp_path / "b", workers=1, shard_rows=2),
        prepare(one, tmp_path / "c", workers=2, shard_rows=3),
    ]
    assert len({store.fingerprint for store in stores}) == 1
    assert [len(store.manifest.shards) for store in stores] == [1, 4, 3]
    path = one / "annotations/instances_val2017.json"
    path.write_text(path.read_text().replace("[4, 5, 10, 8]", "[4, 5, 10, 9]"))
    assert prepare(one, tmp_path / "d", workers=1).fingerprint != stores[0].fingerprint


def test_rows_are_the_same_whatever_the_shards(tmp_path: Path):
    config = Config(train=9, val=2, size=48)
    whole = prepare(config, tmp_path / "a", split="train", workers=1)
    parts = pickle.loads(pickle.dumps(prepare(config, tmp_path / "b", split="train", workers=1, shard_rows=4)))
    for i in range(9):
        one, other = whole.row(i), parts.row(i)
        assert one.digest() == other.digest()
        assert (one.index, other.index) == (i, i)
        assert whole.image(i).to_pybytes() == one.image
        np.testing.assert_array_equal(whole.annotations(i).boxes, one.boxes)
    assert parts.column("boxes").tolist() == [len(whole.annotations(i)) for i in range(9)]
    for index in (-1, 9):
        with pytest.raises(IndexError):
            whole.row(index)


class Killed(Exception):
    """Stands for the end of the process."""


def test_an_interrupted_conversion_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = simple_coco(tmp_path / "data", count=9)
    expected = prepare(root, tmp_path / "expected", workers=1, shard_rows=2)
    written: list[str] = []
    publish = shards.publish

    def publish_two(partial: Path, path: Path) -> None:
        if len(written) == 2:
            raise Killed
        written.append(path.name)
        publish(partial, path)

    monkeypatch.setattr(shards, "publish", publish_two)
    with pytest.raises(Killed):
        prepare(root, tmp_path / "store", workers=1, shard_rows=2)
    assert not (tmp_path / "store").exists()
    with pytest.raises(UserError, match="not a data store"):
        Store.open(tmp_path / ".store.partial")
    monkeypatch.setattr(shards, "publish", lambda partial, path: (written.append(path.name), publish(partial, path)))
    store = prepare(root, tmp_path / "store", workers=1, shard_rows=2)
    assert sorted(written) == [f"shard-{i:06d}.arrow" for i in range(5)]
    assert store.fingerprint == expected.fingerprint
    assert (store.path / "report.txt").read_text() == (expected.path / "report.txt").read_text()
    assert verify(store, workers=1).sound


def test_a_conversion_that_is_killed_at_any_time_can_be_repeated(tmp_path: Path):
    """kill -9 of the whole process group after ever longer times; the last call finishes."""
    code = (
        "import sys\n"
        "from bench.data.converting.prepare import prepare\n"
        "from bench.data.formats.synthetic import Config\n"
        "prepare(Config(train=90, size=96), sys.argv[1], split='train', workers=2, shard_rows=5)"
    )
    out = tmp_path / "store"
    for seconds in (3.5, 4.5, 5.5):
        running = subprocess.Popen([sys.executable, "-c", code, out], stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(seconds)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        assert not out.exists() or Store.open(out).fingerprint
    store = prepare(Config(train=90, size=96), out, split="train", workers=1, shard_rows=5)
    assert store.fingerprint == prepare(Config(train=90, size=96), tmp_path / "other", split="train").fingerprint
    assert [path.name for path in tmp_path.iterdir() if ".partial" in path.name] == []


def test_the_same_call_opens_the_store_and_other_data_is_refused(tmp_path: Path):
    root = simple_coco(tmp_path / "data")
    store = prepare(root, tmp_path / "store", workers=1)
    before = (store.path / "manifest.json").stat().st_mtime_ns
    assert prepare(root, tmp_path / "store", workers=1).fingerprint == store.fingerprint
    assert (store.path / "manifest.json").stat().st_mtime_ns == before
    (root / "val2017" / "1.jpg").write_bytes((root / "val2017" / "2.jpg").read_bytes())
    with pytest.raises(UserError, match="a store of other data"):
        prepare(root, tmp_path / "store", workers=1)


def test_verification_finds_every_change(tmp_path: Path):
    store = prepare(simple_coco(tmp_path / "data"), tmp_path / "store", workers=1)
    assert verify(store).sound
    shard = store.path / store.manifest.shards[0].file
    content = bytearray(shard.read_bytes())
    place = content.find(store.row(3).image) + 300
    content[place] ^= 0xFF
    shard.write_bytes(content)
    problems = verify(store.path).problems
    assert any("row 3 (3.jpg): content differs from its hash" in problem for problem in problems)
    shard.write_bytes(content[:2000])
    assert any("missing or damaged shard" in problem for problem in verify(store.path).problems)
    shard.unlink()
    assert not verify(store.path).sound
    manifest = json.loads((store.path / "manifest.json").read_text())
    manifest["fingerprint"] = "0" * 64
    (store.path / "manifest.json").write_text(json.dumps(manifest))
    assert "the hashes of the rows do not give the manifest's fingerprint" in verify(store.path).problems


@pytest.mark.parametrize("change", ["{", "[]", '{"schema_version": 1}', '{"schema_version": 99}'])
def test_a_damaged_manifest_is_one_line(tmp_path: Path, change: str):
    store = prepare(simple_coco(tmp_path / "data"), tmp_path / "store", workers=1)
    (store.path / "manifest.json").write_text(change)
    with pytest.raises(UserError, match=r"manifest|schema version 99"):
        Store.open(store.path)


def test_scenes_have_the_same_bytes_on_every_machine(tmp_path: Path):
    """The fingerprint is part of what the presets promise: a change of it is a change of the benchmark."""
    stores = prepare_splits(Config(train=12, val=3), tmp_path, workers=1)
    assert stores["train"].fingerprint.startswith(GOLDEN_TRAIN)
    assert stores["val"].fingerprint.startswith(GOLDEN_VAL)
    assert stores["train"].manifest.counts.masks == stores["train"].manifest.counts.boxes
    more = prepare(Config(train=20, val=3), tmp_path / "more", split="train", workers=1)
    assert [more.row(i).digest() for i in range(12)] == [stores["train"].row(i).digest() for i in range(12)]


GOLDEN_TRAIN, GOLDEN_VAL = "953fb01c73fa0bab", "9ea4b81a1fe7bade"  # pragma: allowlist secret


def test_the_gallery_shows_all_of_a_store(tmp_path: Path):
    root = simple_coco(tmp_path / "data", count=4, iscrowd=1, ignore=1)
    page = show(prepare(root, tmp_path / "store", workers=1), tmp_path / "gallery")
    text = page.read_text()
    assert "4 crowds, 4 difficult" in text
    for name in ("gallery.png", "statistics.png"):
        assert name in text
        assert (page.parent / name).stat().st_size > 1000


def test_ray_tasks_make_the_same_store(tmp_path: Path):
    root = simple_coco(tmp_path / "data", count=6)
    with ray_session(num_cpus=2, dashboard=False):
        store = prepare(root, tmp_path / "ray", on_ray=True, shard_rows=2)
    assert store.fingerprint == prepare(root, tmp_path / "plain", workers=1).fingerprint


def test_a_cluster_that_does_not_answer_is_one_line(tmp_path: Path):
    with pytest.raises(UserError, match=r"--address 127\.0\.0\.1:1: no cluster answers there"):
        api.prepare(simple_coco(tmp_path / "data", count=1), tmp_path / "stores", address="127.0.0.1:1")
