"""A real MLflow server: what it costs nothing to lose, and what `locbench ui` says."""

import os
import signal
import socket
from pathlib import Path

import pytest
from mlflow import MlflowClient

from bench.errors import StepFailed, UserError
from bench.track.reaching import server
from bench.track.reaching.address import database_uri
from bench.track.reaching.view import ADDRESS
from bench.track.tracker import Tracker

STEPS = 30


def test_killed_and_restarted_mid_study_nothing_is_lost_or_doubled(
    root: Path, free_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = database_uri(root)
    process = server.start(uri, root, free_port)
    artifact = root / "scores.json"
    artifact.write_text("{}")
    with Tracker(f"http://127.0.0.1:{free_port}", root) as tracker:
        tracker.start_study("study", "smoke", "", {})
        for row in ("before", "during", "after"):
            if row == "after":
                process = server.start(uri, root, free_port)
                tracker.deliver()
            run = tracker.start_row("study", row, 0, {"row": row}, {}, profile="smoke")
            for step in range(STEPS):
                tracker.log(run, {"loss": step / STEPS}, step)
                if row == "during" and step == STEPS // 2:
                    tracker.deliver()
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            tracker.artifact(run, artifact, steady=True)
            tracker.model(run, row, artifact)
            tracker.finish(run, "done", metrics={"AP": 0.5})
        records = tracker.records("study")
        through = MlflowClient(tracking_uri=f"http://127.0.0.1:{free_port}")
        kept = [[file.path for file in through.list_artifacts(record.run_id)] for record in records]
        assert tracker.url(records[0]).startswith(f"http://127.0.0.1:{free_port}/#/experiments/1/runs/")
    server.stop(process)

    said = capsys.readouterr().err
    assert said.count("does not answer") == said.count("everything was delivered") == 1
    assert [(r.row, r.status, r.params["row"]) for r in records] == [
        (n, "done", n) for n in ("before", "during", "after")
    ]
    client = MlflowClient(tracking_uri=uri)
    for record in records:
        points = client.get_metric_history(record.run_id, "loss")
        assert [(point.step, point.value) for point in points] == [(step, step / STEPS) for step in range(STEPS)]
        assert record.metrics["AP"] == 0.5
        assert len(client.get_metric_history(record.run_id, "AP")) == 1
    assert kept == [["scores.json"]] * 3
    assert not list((root / "journal").glob("*.jsonl"))


def test_what_waits_is_delivered_by_the_next_process(root: Path, free_port: int) -> None:
    with Tracker(f"http://127.0.0.1:{free_port}", root) as tracker:
        run = tracker.start_row("study", "a", 0, {}, {})
        tracker.finish(run, "done", metrics={"AP": 0.5})
        assert not tracker.deliver()
    assert len(list((root / "journal").glob("*.jsonl"))) == 1
    with Tracker(None, root) as later:
        (record,) = later.records("study")
    assert (record.row, record.status, record.metrics) == ("a", "done", {"AP": 0.5})
    assert not list((root / "journal").glob("*.jsonl"))


def test_the_ui_opens_on_the_newest_study_and_its_leaderboard(root: Path) -> None:
    (root / "second.html").write_text("<title>board</title>")
    with Tracker(None, root) as tracker:
        for study in ("first", "second"):
            run = tracker.start_study(study, "smoke", "About it", {"metric": "AP75"})
        tracker.artifact(run, root / "second.html")
        known = {study.study: study for study in tracker.studies()}
    uri = database_uri(root)
    second = known["second"]
    assert server.pages_of_study(uri, root, None) == {
        "runs": f"/#/experiments/{second.experiment_id}/runs?{ADDRESS}",
        "leaderboard": f"/#/experiments/{second.experiment_id}/runs/{second.run_id}/artifacts/second.html",
    }
    first = server.pages_of_study(uri, root, "first")
    assert first == {"runs": f"/#/experiments/{known['first'].experiment_id}/runs?{ADDRESS}"}
    with pytest.raises(UserError, match="recorded studies: first, second"):
        server.pages_of_study(uri, root, "third")


def test_a_server_that_dies_is_said_to_have(root: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_command", lambda *_: ["false"])
    with pytest.raises(StepFailed, match=r"ended with exit code 1; its words are in .*mlflow-server\.log"):
        server.start(database_uri(root), root, free_port)


def test_a_port_in_use_is_refused(root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} cannot be used: .*choose another \(--port {port + 1}\)"):
            server.start(database_uri(root), root, port)
    with pytest.raises(UserError, match="there is no port 70000"):
        server.start(database_uri(root), root, 70000)
