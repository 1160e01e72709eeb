"""Finished steps shared through an S3 server: what one machine trained, another does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from bench import api
from bench.errors import UserError
from bench.study.steps.cache import StepCache
from bench.study.steps.graph import Step
from bench.study.steps.remote import Remote
from bench.study.steps.result import finish

STEP = Step("train", "abc", (), None)
STUDY = """title: t
data: {kind: synthetic, preset: tiny, size: 64, train: 8, val: 4}
variant: retinanet_tiny
input: {mode: as_is}
train: {iterations: 2, batch_size: 4, lr: 0.001}
rows: {base: {}}
"""


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = "allow_bucket_creation=true&region=us-east-1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "none")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "none")
        yield f"s3://locbench/runs?scheme=http&endpoint_override={host}%3A{port}&{keys}"
    server.stop()


def make(cache: StepCache) -> Path:
    folder = cache.folder(STEP)
    (folder / "raw").mkdir()
    (folder / "raw" / "part-0").write_bytes(bytes(range(256)) * 9000)
    (folder / "empty").touch()
    finish(folder, {"a": 1})
    return folder


def test_a_step_goes_there_and_comes_back_whole(tmp_path: Path, bucket: str) -> None:
    here, there = (StepCache(tmp_path / name, Remote(bucket)) for name in ("here", "there"))
    there.share(STEP)
    assert not there.done(STEP), "nobody has it yet"
    folder = make(here)
    here.share(STEP)
    there.share(STEP)
    assert there.result(STEP) == {"a": 1}
    files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    copy = there.folder(STEP)
    assert {path.relative_to(copy): path.read_bytes() for path in copy.rglob("*") if path.is_file()} == files


def test_a_step_without_its_result_is_no_step(tmp_path: Path) -> None:
    uri = (tmp_path / "share").as_uri()
    folder = make(StepCache(tmp_path / "here", Remote(uri)))
    StepCache(tmp_path / "here", Remote(uri)).share(STEP)
    (tmp_path / "share" / "steps" / STEP.name / "result.json").unlink()
    there = StepCache(tmp_path / "there", Remote(uri))
    there.share(STEP)
    assert not there.done(STEP)
    assert folder.exists()


def test_another_machine_trains_nothing(tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    first = api.run(tmp_path / "study.yaml", storage=tmp_path / "here", remote=bucket)
    first.raise_if_failed()
    monkeypatch.setattr("bench.train.distributed.ray_session.ray_session", None)  # to start a cluster would be an error
    second = api.run(tmp_path / "study.yaml", storage=tmp_path / "there", remote=bucket)
    second.raise_if_failed()
    assert second.finished is not None
    assert [state.cached for state in second.finished.states] == [True]
    kinds = {path.parent.name.partition("-")[0] for path in (tmp_path / "there" / "steps").glob("*/result.json")}
    assert kinds == {"train", "predict", "score"}


@pytest.mark.parametrize("uri", ["nonsense://x", "s3://locbench/x?endpoint_override=127.0.0.1%3A9&scheme=http"])
def test_a_place_that_cannot_be_reached_is_one_line(uri: str) -> None:
    with pytest.raises(UserError, match="cannot be reached") as error:
        Remote(uri)
    assert "\n" not in str(error.value)


def test_a_place_that_goes_away_costs_a_line_and_no_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = StepCache(tmp_path / "here", Remote((tmp_path / "share").as_uri()))
    make(cache)
    (tmp_path / "share" / "steps").rmdir()
    (tmp_path / "share" / "steps").write_text("in the way")
    cache.share(STEP)
    assert cache.done(STEP)
    assert "is not shared with file://" in capsys.readouterr().err
