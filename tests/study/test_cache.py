"""Step folders: done means a whole result, whatever was killed when."""

import json
import threading
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.study.running.trainings import concurrent_trials
from bench.study.steps import cache as caches
from bench.study.steps.cache import StepCache
from bench.study.steps.graph import Step
from bench.study.steps.result import ERROR, finish, read_json, write_json
from bench.train.distributed.workers import Workers

STEP = Step("train", "abc", (), None)


def test_a_step_is_done_once_its_result_stands(tmp_path: Path) -> None:
    cache = StepCache(tmp_path / "runs")
    folder = cache.folder(STEP)
    assert not cache.done(STEP)
    (folder / ERROR).write_text("failed before")
    finish(folder, {"a": 1})
    assert cache.done(STEP)
    assert cache.result(STEP) == {"a": 1}
    assert not (folder / ERROR).exists()


def test_half_a_file_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('{"fraction": 0.')
    assert read_json(tmp_path / "half.json") == {}
    assert read_json(tmp_path / "none.json") == {}


def test_readers_never_see_half_of_what_is_written(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    write_json(file, [0] * 5000)
    stop = threading.Event()

    def write() -> None:
        for i in range(60):
            write_json(file, [i] * 5000)
        stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not stop.is_set():
        assert len(set(json.loads(file.read_text()))) == 1
    writer.join()
    assert list(tmp_path.iterdir()) == [file]


def test_a_disk_that_is_about_to_be_full_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caches, "FREE_BYTES_WANTED", 2**62)
    with pytest.raises(UserError, match=r"only \d+ MiB are free; free some, or choose another with --storage"):
        StepCache(tmp_path)


@pytest.mark.parametrize(
    ("cluster", "kinds", "fit"),
    [
        ({"CPU": 2}, [Workers()], 2),
        ({"CPU": 2}, [Workers(count=2)], 1),
        ({"CPU": 16, "GPU": 1}, [Workers(gpus=0.25)], 4),
        ({"CPU": 16, "GPU": 8}, [Workers(count=4, gpus=1)], 2),
        ({"CPU": 1}, [Workers(count=4)], 1),
        ({"CPU": 16, "GPU": 8}, [Workers(count=8, gpus=1), Workers(count=2, gpus=1)], 4),
    ],
)
def test_as_many_trainings_run_at_once_as_fit(cluster: dict[str, float], kinds: list[Workers], fit: int) -> None:
    assert concurrent_trials(cluster, kinds) == fit
