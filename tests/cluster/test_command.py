"""The command of a job: every option arrives as it was given, and no secret is in it."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cluster.command import entrypoint
from bench.errors import UserError

SAYS = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['LOCBENCH_STORAGE']]))"


def as_the_head_runs_it(command: str, tmp_path: Path, **environment: str) -> tuple[list[str], str]:
    """A `python` that says what it was called with stands in the way of the real one."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{SAYS}" "$@"\n')
    python.chmod(0o755)
    environment = {"PATH": f"{python.parent}:{os.environ['PATH']}", "HOME": "/home/someone"} | environment
    out = subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=True).stdout
    words, storage = json.loads(out)
    return words, storage


def test_options_arrive_as_given(tmp_path: Path) -> None:
    odd = ["--set", "detector.post={kind: a b}", "--rows", "a,b; echo $HOME `id` 'x'"]
    words, _ = as_the_head_runs_it(entrypoint("studies/my study.yaml", odd, None, None), tmp_path)
    assert words == ["-m", "bench", "run", "studies/my study.yaml", "--address", "auto", *odd]


@pytest.mark.parametrize(
    ("environment", "storage"),
    [({}, "/home/someone/locbench-runs"), ({"LOCBENCH_STORAGE": "/mnt/my runs"}, "/mnt/my runs")],
)
def test_the_cluster_says_where_runs_go_when_the_user_does_not(
    environment: dict[str, str], storage: str, tmp_path: Path
) -> None:
    assert as_the_head_runs_it(entrypoint("quickstart", [], None, None), tmp_path, **environment)[1] == storage


def test_what_the_user_says_goes_before_what_the_cluster_says() -> None:
    command = entrypoint("quickstart", [], "/mnt/runs", "http://mlflow:5000")
    assert shlex.split(command)[-4:] == ["--storage", "/mnt/runs", "--tracking", "http://mlflow:5000"]
    assert "LOCBENCH" not in command


@pytest.mark.parametrize("storage", ["runs", "./runs", "s3://bucket/runs", "~/runs"])
def test_a_storage_that_a_job_would_lose_is_refused(storage: str) -> None:
    with pytest.raises(UserError, match="absolute path of a folder that every node"):
        entrypoint("quickstart", [], storage, None)


def test_a_password_in_the_tracking_uri_is_refused() -> None:
    with pytest.raises(UserError, match=r"^--tracking: holds a password") as raised:
        entrypoint("quickstart", [], None, "postgresql://me:tr0ub4dor@server/mlflow")  # pragma: allowlist secret
    assert "tr0ub4dor" not in str(raised.value)


def test_a_secret_among_the_settings_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_SECRET_ACCESS_KEY", "abcdefgh12345")
    with pytest.raises(UserError, match="holds the value of S3_SECRET_ACCESS_KEY") as raised:
        entrypoint("quickstart", ["--set", "data.key=abcdefgh12345"], None, None)
    assert "abcdefgh" not in str(raised.value)
