"""What steps take, and which of them `prune` removes."""

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bench.cli import run_app
from bench.study.steps.graph import Cell, Step
from bench.study.steps.inventory import entries, note_users, prune
from bench.study.steps.locks import Locks
from bench.study.steps.result import finish

DAY = 86400


def make(root: Path, name: str, *, days: float, size: int = 1000, done: bool = True) -> Path:
    folder = root / "steps" / name
    (folder / "raw").mkdir(parents=True)
    (folder / "raw" / "part").write_bytes(bytes(size))
    if done:
        finish(folder, {})
    for path in (*folder.glob("*.json"), folder):
        os.utime(path, (time.time() - days * DAY,) * 2)
    return folder


def cell(row: str, *names: str) -> Cell:
    steps = tuple(Step(name.partition("-")[0], name.partition("-")[2], (), None) for name in names)  # type: ignore[arg-type]
    return cast(Cell, SimpleNamespace(row=SimpleNamespace(name=row), steps=steps, earlier=()))


def test_entries_tell_size_state_and_askers(tmp_path: Path) -> None:
    make(tmp_path, "train-a", days=5, size=3000)
    make(tmp_path, "score-b", days=1, done=False)
    note_users(tmp_path, "s (full)", [cell("x", "train-a", "score-gone"), cell("y", "train-a")])
    first, second = entries(tmp_path)
    assert (first.name, first.kind, first.done, first.users) == (
        "train-a",
        "train",
        True,
        ("s (full): x", "s (full): y"),
    )
    assert first.size > 3000
    assert (second.name, second.done, second.users) == ("score-b", False, ())
    assert not (tmp_path / "steps" / "score-gone").exists()


def test_asking_again_changes_nothing(tmp_path: Path) -> None:
    folder = make(tmp_path, "train-a", days=5)
    note_users(tmp_path, "s (full)", [cell("x", "train-a")])
    before = (folder / "users.json").stat().st_mtime_ns
    note_users(tmp_path, "s (full)", [cell("x", "train-a")])
    assert (folder / "users.json").stat().st_mtime_ns == before


def test_prune_takes_the_old_and_leaves_the_used_and_the_running(tmp_path: Path) -> None:
    for name, days in (("train-old", 40), ("train-new", 2), ("train-running", 40), ("train-asked", 40)):
        make(tmp_path, name, days=days)
    note_users(tmp_path, "s (full)", [cell("x", "train-asked")])
    running = Locks(tmp_path)
    assert running.take("train-running")
    assert [entry.name for entry in prune(tmp_path, days=30)] == ["train-old"]
    assert {entry.name for entry in entries(tmp_path)} == {"train-new", "train-running", "train-asked"}


def test_prune_of_a_study_leaves_what_others_share(tmp_path: Path) -> None:
    for name in ("train-own", "train-shared", "train-nobodys"):
        make(tmp_path, name, days=1)
    note_users(tmp_path, "s (full)", [cell("x", "train-own", "train-shared")])
    note_users(tmp_path, "other (full)", [cell("x", "train-shared")])
    assert [entry.name for entry in prune(tmp_path, days=0, studies=["s"])] == ["train-own"]


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, "train-a", days=40, size=2_000_000)
    assert run_app(["cache", "ls", "--storage", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "train-a" in out
    assert "1 steps, 2.0 MB" in out
    assert run_app(["cache", "prune", "--older-than", "30", "--storage", str(tmp_path)]) == 0
    assert "removed 1 steps, 2.0 MB" in capsys.readouterr().out
    assert run_app(["cache", "ls", "--storage", str(tmp_path / "nowhere")]) == 2
    assert "holds no steps" in capsys.readouterr().err
