"""Whole studies through the command line, on a real Ray cluster: finished, repeated, stopped, broken, killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from bench import api
from bench.study.definition.spec import load_study
from bench.study.steps.datasets import prepared_data
from bench.study.steps.graph import cells

STUDY = """title: two rows, small enough for a test
data: {kind: synthetic, preset: tiny, size: 64, train: 24, val: 12}
variant: faster_rcnn_tiny
input: {mode: as_is}
train: {epochs: 12, batch_size: 4, lr: 0.01, warmup_iterations: 2, checkpoint_every: 4}
rows:
  base: {}
  soft: {detector.post.score_threshold: 0.1}
  iou: {variant: faster_rcnn_tiny_iou}
claims: ["AP[iou] > AP[base]"]
"""

TRIAL = "ray::ImplicitFunc"
"""What Ray calls the process of a trial."""


def start(folder: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "bench", "run", "study.yaml", *options]
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {"TMPDIR": str(temporary)}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(folder: Path, *options: str) -> tuple[int, str, str]:
    process = start(folder, *options)
    out, err = process.communicate(timeout=280)
    return process.returncode, out, err


def wait_for(condition: Callable[[], bool], seconds: float = 150) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def folders(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / "runs" / "steps").glob(f"{kind}-*"))


def results(storage: Path) -> dict[str, dict[str, float]]:
    """Metrics of every scored step below a storage."""
    files = (storage / "steps").glob("score-*/result.json")
    return {file.parent.name: json.loads(file.read_text())["metrics"] for file in files}


def expected(unbroken: Path) -> dict[str, dict[str, float]]:
    """Results of the unbroken study itself, not of what tests had it do besides."""
    study = load_study(unbroken / "study.yaml")
    plan = cells(study, prepared_data(study, unbroken / "runs"))
    return {cell.score.name: results(unbroken / "runs")[cell.score.name] for cell in plan}


def progressed(folder: Path) -> bool:
    """Whether a training has taken a checkpoint and not ended."""
    return any((folder / "runs" / "steps").glob("train-*/checkpoints/checkpoint-*"))


def command_of(pid: int) -> str:
    """Empty if it has just ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A storage on a file system of its own, with little room."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=260M", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system needs root")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path) -> Path:
    """A file that takes all the room there is."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(2**20))
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(2**9))
    return filler


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "study.yaml").write_text(STUDY)
    return tmp_path


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that ran to its end."""
    folder = tmp_path_factory.mktemp("unbroken")
    (folder / "study.yaml").write_text(STUDY)
    code, out, err = run(folder)
    assert code == 0, err
    assert all(name in out for name in ("base", "soft", "iou", "page: "))
    return folder


def test_a_finished_study_leaves_scores_records_and_a_page(unbroken: Path) -> None:
    assert len(folders(unbroken, "train")) == 2, "base and soft share a training"
    assert len(folders(unbroken, "predict")) == 2
    assert len(folders(unbroken, "score")) == 3
    frame = api.leaderboard("study", storage=unbroken / "runs")
    assert set(frame.index.get_level_values("row")) == {"base", "soft", "iou"}
    assert (unbroken / "runs" / "boards" / "study.html").stat().st_size > 1000


def test_two_rows_of_it_are_compared_image_by_image(unbroken: Path) -> None:
    page = api.compare_rows("study", "base", "soft", unbroken / "two.html", storage=unbroken / "runs")
    assert "soft" in page.read_text()


def test_a_run_leaves_no_temporary_files(unbroken: Path) -> None:
    left = {path.name for path in (unbroken / "tmp").iterdir()}
    assert not {name for name in left if not name.startswith("torchinductor_")}, "torch makes that one, and keeps it"


def test_a_second_run_does_nothing_and_says_the_same(unbroken: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (unbroken / "runs" / "steps").rglob("*")}
    started = time.monotonic()
    code, out, err = run(unbroken)
    assert code == 0, err
    assert "iou" in out
    assert {path: path.stat().st_mtime_ns for path in (unbroken / "runs" / "steps").rglob("*")} == before
    assert time.monotonic() - started < 60, "no Ray cluster was started"


def test_another_post_is_scored_without_training(unbroken: Path) -> None:
    code, _, err = run(unbroken, "--set", "detector.post.max_detections=5", "--rows", "base")
    assert code == 0, err
    assert len(folders(unbroken, "train")) == 2
    assert len(folders(unbroken, "predict")) == 2
    assert len(folders(unbroken, "score")) == 4


def test_dry_run_lists_steps_and_does_none(unbroken: Path) -> None:
    code, out, err = run(unbroken, "--dry-run", "--seeds", "2")
    assert code == 0, err
    assert "steps that would run: 2 to train, 2 to predict, 3 to score" in out
    assert "2 trainings are left: about " in out
    assert "by the speed of the 2 that are done" in out
    _, out, _ = run(unbroken, "--dry-run", "--set", "train.momentum=0.5")
    assert "2 trainings are left: very roughly " in out


@pytest.mark.parametrize("request_to_end", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_preemption_keep_what_is_done_and_the_same_command_goes_on(
    study: Path, unbroken: Path, request_to_end: signal.Signals
) -> None:
    process = start(study)
    wait_for(lambda: progressed(study) or process.poll() is not None)
    process.send_signal(request_to_end)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "locbench: finished rows are kept; the same command goes on from there"
    code, _, err = run(study)
    assert code == 0, err
    assert results(study / "runs") == expected(unbroken), "as if it had never been stopped"


def test_a_killed_worker_is_replaced_and_changes_nothing(study: Path, unbroken: Path) -> None:
    process = start(study)
    wait_for(lambda: progressed(study) or process.poll() is not None)
    children = psutil.Process(process.pid).children(recursive=True)
    trials = [child.pid for child in children if TRIAL in command_of(child.pid)]
    assert trials, "a training is under way"
    for trial in trials:
        os.kill(trial, signal.SIGKILL)
    _, err = process.communicate(timeout=280)
    assert process.returncode == 0, err
    resumed = [json.loads((step / "result.json").read_text())["resumed_at"] for step in folders(study, "train")]
    assert any(resumed), "it went on from a checkpoint"
    assert results(study / "runs") == expected(unbroken)


def test_a_failed_row_is_a_row_and_the_others_go_on(study: Path) -> None:
    text = STUDY + "  bad: {train.lr: 1.0e+18, train.clip_norm: 0}\n"
    (study / "study.yaml").write_text(text.replace('claims: ["AP[iou] > AP[base]"]\n', ""))
    code, out, err = run(study, "--rows", "base,bad")
    assert code == 1
    assert err.splitlines()[-1].startswith("locbench: bad · seed 0 failed: ")
    assert "not finite at step" in err
    assert "lower train.lr" in err
    assert "failed" in out
    assert len(results(study / "runs")) == 1


def test_an_unwritable_storage_is_one_line(study: Path) -> None:
    (study / "runs").write_text("a file where the folder should be")
    code, out, err = run(study)
    assert (code, out) == (2, "")
    assert err.startswith(f"locbench: {study / 'runs'}: cannot write here (")
    assert err.count("\n") == 1


def test_a_disk_that_fills_up_is_one_line_and_the_same_command_goes_on(
    study: Path, unbroken: Path, small_disk: Path
) -> None:
    process = start(study, "--storage", str(small_disk))
    wait_for(lambda: any(small_disk.glob("steps/train-*/checkpoints/checkpoint-*")) or process.poll() is not None)
    filler = fill(small_disk)
    _, err = process.communicate(timeout=280)
    assert process.returncode in (1, 2), err
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith("locbench: ")
    assert "No space left on device" in last
    filler.unlink()
    code, _, err = run(study, "--storage", str(small_disk))
    assert code == 0, err
    assert results(small_disk) == expected(unbroken)


def test_a_killed_driver_and_a_truncated_checkpoint_lose_no_more_than_that(study: Path, unbroken: Path) -> None:
    process = start(study)
    wait_for(lambda: progressed(study) or process.poll() is not None)
    process.kill()
    process.communicate(timeout=60)
    trainings = [path.parent for path in (study / "runs" / "steps").glob("train-*/checkpoints/checkpoint-*")]
    newest = max(trainings[0].glob("checkpoint-*"))
    newest.write_bytes(newest.read_bytes()[:1000])
    code, _, err = run(study)
    assert code == 0, err
    assert results(study / "runs") == expected(unbroken)


def test_a_study_started_twice_at_once_is_done_once(study: Path, unbroken: Path) -> None:
    both = [start(study), start(study)]
    ends = [process.communicate(timeout=280) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert results(study / "runs") == expected(unbroken)
    for training in folders(study, "train"):
        points = [json.loads(line)["iteration"] for line in (training / "curve.jsonl").read_text().splitlines()]
        assert points == sorted(set(points)), "one of them trained it"
