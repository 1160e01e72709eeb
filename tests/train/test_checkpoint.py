"""Checkpoints on disk: whole or absent, the last ones kept, damage passed over, nothing in them run."""

import os
import pickle
import resource
from pathlib import Path

import pytest
import torch

from bench.errors import UserError
from bench.train.checkpoint import CheckpointFolder, NoCheckpoints, read_state, write_state


def save(folder: CheckpointFolder, iteration: int) -> None:
    folder.save(
        iteration, lambda: {"iteration": iteration, "model": {"w": torch.full((1000,), iteration)}}, {"AP": 0.5}
    )


def test_the_last_ones_are_kept(tmp_path: Path):
    folder = CheckpointFolder(tmp_path, keep=2)
    for iteration in (5, 10, 1000, 20):
        save(folder, iteration)
    assert [path.name for path in folder.paths()] == ["checkpoint-000000020.pt", "checkpoint-000001000.pt"]
    assert folder.latest()["iteration"] == 1000
    assert folder.latest()["metrics"] == {"AP": 0.5}


@pytest.mark.parametrize("length", [0, 1, 10, 1000, -1, -100])
def test_a_truncated_one_is_passed_over(tmp_path: Path, length: int):
    folder = CheckpointFolder(tmp_path)
    save(folder, 1), save(folder, 2)
    whole = folder.paths()[-1].read_bytes()
    folder.paths()[-1].write_bytes(whole[:length])
    assert folder.latest()["iteration"] == 1


def test_no_readable_one_is_a_fresh_start(tmp_path: Path):
    folder = CheckpointFolder(tmp_path / "absent")
    assert folder.latest() is None
    save(folder, 1)
    folder.paths()[0].write_bytes(b"not a checkpoint")
    assert folder.latest() is None
    assert NoCheckpoints().latest() is None


def test_a_file_that_would_run_code_is_not_read(tmp_path: Path):
    class Attack:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save({"iteration": Attack()}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Attack(), protocol=2))
    assert read_state(tmp_path / "evil.pt") is None
    assert read_state(tmp_path / "plain.pt") is None
    assert not (tmp_path / "owned").exists()


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path):
    path = tmp_path / "state.pt"
    write_state(path, {"a": 1})
    with pytest.raises(AttributeError):
        write_state(path, {"a": lambda: None})
    assert read_state(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written: .*choose another folder"):
        write_state(tmp_path / "file" / "state.pt", {"a": 1})


def test_a_file_that_cannot_grow_is_one_line_and_leaves_no_rest(tmp_path: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(UserError, match=r"cannot be written: .*make room"):
            write_state(tmp_path / "state.pt", {"a": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_only_the_first_rank_writes(tmp_path: Path):
    save(CheckpointFolder(tmp_path, rank=1), 1)
    assert list(tmp_path.iterdir()) == []
