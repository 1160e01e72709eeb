"""A study goes on without its tracking server, and tells it everything when it is back."""

import json
import os
import signal
import socket
from pathlib import Path

from mlflow import MlflowClient

from bench import api
from bench.track.reaching import server
from bench.track.reaching.address import database_uri
from bench.track.tracker import Tracker
from tests.study.test_run import STUDY, folders, progressed, results, start, wait_for


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_killed_tracking_server_costs_a_study_nothing(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    root, runs, port = tmp_path / "server", tmp_path / "runs", free_port()
    uri, address = database_uri(root), f"http://127.0.0.1:{port}"
    root.mkdir()
    process = server.start(uri, root, port)
    try:
        study = start(tmp_path, "--rows", "base", "--tracking", address)
        wait_for(lambda: progressed(tmp_path) or study.poll() is not None)
        assert study.poll() is None, "the server dies while something is trained"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    out, err = study.communicate(timeout=280)
    assert study.returncode == 0, err
    assert f"tracking: {address} does not answer" in err
    assert "everything was delivered" not in err
    assert "base · seed 0: done, AP " in out
    assert f"no leaderboard: {address}: the tracking server does not answer" in out
    (metrics,) = results(runs).values()
    assert list((runs / "journal").glob("*.jsonl")), "what could not be told waits"

    with server.running(uri, root, port):
        done = {path: path.stat().st_mtime_ns for path in (runs / "steps").rglob("*")}
        again = api.run(tmp_path / "study.yaml", rows=["base"], storage=runs, tracking=address)
        assert {path: path.stat().st_mtime_ns for path in (runs / "steps").rglob("*")} == done, "nothing was done anew"
        assert f"{100 * metrics['AP']:.1f}" in again.text()
        with Tracker(address, runs) as tracker:
            (record,) = tracker.records("study", "full")
        kept = {file.path for file in MlflowClient(tracking_uri=address).list_artifacts(record.run_id)}
    assert not list((runs / "journal").glob("*.jsonl"))
    assert (record.row, record.status, record.metrics["AP"]) == ("base", "done", metrics["AP"])
    assert kept >= {"config.yaml", "detections.parquet", "scores.json", "raw", "plots"}
    losses = MlflowClient(tracking_uri=uri).get_metric_history(record.run_id, "train/loss")
    (training,) = folders(tmp_path, "train")
    lines = [json.loads(line) for line in (training / "curve.jsonl").read_text().splitlines()]
    assert [point.step for point in losses] == [line["iteration"] for line in lines if "loss" in line]
