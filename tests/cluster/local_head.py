"""A Ray head of our own, protected by a token, that takes jobs; and the command line as a user calls it."""

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

BIN = Path(sys.executable).parent
FROM_OUTSIDE = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
STARTED = "This command will now block forever"
START_ATTEMPTS = 3
"""Ray gives its processes 30 seconds, which a machine busy with other things may not have."""
PASSWORD = "a-password-of-mlflow"  # pragma: allowlist secret


GIVEN: set[int] = set()


def free_port() -> int:
    """One that is free, and was not given before: Ray refuses one that two of its parts should use."""
    while True:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port: int = found.getsockname()[1]
        if port not in GIVEN:
            GIVEN.add(port)
            return port


def wait_for(condition: Callable[[], bool], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)


@dataclass
class Cluster:
    """A head on this machine, and what a laptop knows of it."""

    address: str
    token: str
    folder: Path
    process: "subprocess.Popen[bytes]"
    port: int
    """Where other nodes join; that of `address` takes jobs."""

    @property
    def storage(self) -> Path:
        return self.folder / "storage"

    @property
    def laptop(self) -> Path:
        """The folder and home of a user."""
        return self.folder / "laptop"

    def settings(self) -> dict[str, str]:
        """The environment of a user, part of which points elsewhere; empty ones are not set."""
        ours = {"HOME": str(self.laptop), "RAY_AUTH_TOKEN": self.token, "RAY_ADDRESS": "http://127.0.0.1:9"}
        return dict.fromkeys(FROM_OUTSIDE, "") | ours

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """A command that talks to this head, as on the laptop of a user."""
        command = [sys.executable, "-m", "bench", *words, "--address", self.address]
        environment = {name: value for name, value in (os.environ | self.settings()).items() if value}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.laptop, env=environment, text=True, stdout=pipe, stderr=pipe)


def start_head(folder: Path, cpus: int = 2) -> Cluster:
    """Blocks until it answers. All of its ports are free ones, and all of its files lie in `folder`."""
    token, dashboard, port = secrets.token_hex(32), free_port(), free_port()
    process = start_node(
        folder / "head.log",
        token,
        *("--head", "--disable-usage-stats", "--dashboard-host=127.0.0.1", "--node-ip-address=127.0.0.1"),
        *(f"--port={port}", f"--dashboard-port={dashboard}", f"--ray-client-server-port={free_port()}"),
        *(f"--temp-dir={folder}", f"--num-cpus={cpus}"),
    )
    address = f"http://127.0.0.1:{dashboard}"
    try:
        wait_for(lambda: answers(address, token))
    except AssertionError:
        end(process)
        raise
    return Cluster(address, token, folder, process, port)


def start_node(log: Path, token: str, *options: str) -> "subprocess.Popen[bytes]":
    """One raylet that has started."""
    tries = (_node(log, token, *options) for _ in range(START_ATTEMPTS))
    started = next((process for process in tries if process.poll() is None), None)
    assert started is not None, log.read_text()
    return started


def _node(log: Path, token: str, *options: str) -> "subprocess.Popen[bytes]":
    """Blocks until it has started or given up; the environment is that of a cluster, not of who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if name not in FROM_OUTSIDE}
    ours = {
        "HOME": str(log.parent),
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "LOCBENCH_STORAGE": str(log.parent / "storage"),
        "MLFLOW_TRACKING_PASSWORD": PASSWORD,
        "OMP_NUM_THREADS": "1",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "RAY_health_check_period_ms": "500",
    }
    free = ("dashboard-agent-listen-port", "dashboard-agent-grpc-port", "metrics-export-port", "runtime-env-agent-port")
    ports = [f"--{name}={free_port()}" for name in free]
    ports += ["--min-worker-port=0", "--max-worker-port=0"]
    command = [BIN / "ray", "start", "--block", "--num-gpus=0", "--object-store-memory=100000000", *ports, *options]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=kept | ours, cwd=log.parent, stdout=output, stderr=output)
    wait_for(lambda: STARTED in log.read_text() or process.poll() is not None)
    return process


def answers(address: str, token: str) -> bool:
    request = urllib.request.Request(f"{address}/api/jobs/", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=5):
            return True
    except (OSError, urllib.error.URLError):
        return False


def workers_of(node: "subprocess.Popen[bytes]", title: str) -> list[psutil.Process]:
    """The processes of a node whose title, which Ray sets to what they do, has this in it."""
    found = []
    for process in psutil.Process(node.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found += [process] if title in " ".join(process.cmdline()) else []
    return found


def end(process: "subprocess.Popen[bytes]") -> None:
    """The head and all that it started, each by its id."""
    if process.poll() is not None:
        return
    started = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=20)
    process.kill()
    process.wait()
    for left in started:
        with suppress(psutil.NoSuchProcess):
            left.kill()
