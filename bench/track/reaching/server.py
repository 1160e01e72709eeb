"""MLflow's own pages for the runs below a folder: one small server on the loopback interface."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from bench.errors import StepFailed, UserError
from bench.track.reaching.address import database_uri, with_driver
from bench.track.reaching.connect import connect
from bench.track.reaching.view import ADDRESS
from bench.track.reading.records import studies

HOST = "127.0.0.1"
HEALTHY_WITHIN_SECONDS = 600.0
SAY_EVERY_SECONDS = 10.0
ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


def serve(root: Path, port: int, study: str | None = None, on_ready: Callable[[str], None] = print) -> None:
    """Serves until interrupted; `on_ready` gets what can be opened: a study's comparison, and its leaderboard."""
    uri = database_uri(root.resolve())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    pages = pages_of_study(uri, root, study)
    with running(uri, root, port) as url:
        on_ready("\n".join(f"{name:<12} {url}{page}" for name, page in pages.items()))
        signal.pause()


@contextmanager
def running(uri: str, root: Path, port: int) -> Iterator[str]:
    """A server that answers, as its address; stopped on leaving."""
    process = start(uri, root, port)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        stop(process)


def start(uri: str, root: Path, port: int) -> subprocess.Popen[bytes]:
    """A process of its own that answers on the port. Its workers are in its process group."""
    uri = with_driver(uri)
    _check_free(port)
    connect(uri, root.resolve())
    log = root / "mlflow-server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            _command(uri, root.resolve() / "mlartifacts", port),
            env=os.environ | ENVIRONMENT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(process, port, log)
    except BaseException:
        stop(process)
        raise
    return process


def pages_of_study(uri: str, root: Path, study: str | None) -> dict[str, str]:
    """Parts of addresses: a study's runs with a leaderboard's columns, and its page; by default the newest study's."""
    client = connect(uri, root)
    known = sorted(studies(client), key=lambda found: found.started or 0)
    wanted = [found for found in known if study in (None, found.study)]
    if study is not None and not wanted:
        names = ", ".join(sorted({found.study for found in known})) or "none"
        raise UserError(f"no runs of the study {study!r} here", where=str(root), remedy=f"recorded studies: {names}")
    if not wanted:
        return {"runs": "/"}
    chosen = wanted[-1]
    pages = {"runs": f"/#/experiments/{chosen.experiment_id}/runs?{ADDRESS}"}
    boards = [file.path for file in client.list_artifacts(chosen.run_id) if file.path.endswith(".html")]
    if boards:
        pages["leaderboard"] = (
            f"/#/experiments/{chosen.experiment_id}/runs/{chosen.run_id}/artifacts/{quote(boards[0])}"
        )
    return pages


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server and its workers: politely, then not."""
    for last_word in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, last_word)
            process.wait(timeout=10)
            return
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    process.wait()


def _command(uri: str, artifacts: Path, port: int) -> list[str]:
    where = ["--backend-store-uri", uri, "--artifacts-destination", str(artifacts)]
    return [sys.executable, "-m", "mlflow", "server", *where, "--host", HOST, "--port", str(port), "--workers", "1"]


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OverflowError as error:
            raise UserError(f"there is no port {port}", where="--port", remedy="choose one of 1024 to 65535") from error
        except OSError as error:
            remedy = f"choose another (--port {port + 1}), or stop what listens there"
            raise UserError(f"port {port} cannot be used: {error.strerror}", where="--port", remedy=remedy) from error


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    started = said = time.monotonic()
    while (now := time.monotonic()) < started + HEALTHY_WITHIN_SECONDS and process.poll() is None:
        if now - said >= SAY_EVERY_SECONDS:
            said = now
            print(f"MLflow is starting, {now - started:.0f} s so far …", file=sys.stderr, flush=True)
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    how = "did not start" if process.poll() is None else f"ended with exit code {process.poll()}"
    raise StepFailed(f"the MLflow server {how}; its words are in {log}")
