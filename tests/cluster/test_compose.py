"""docker-compose.yml, run: a study sent to its head is on MLflow's leaderboard, and no door opens without its key.

No Docker engine is needed: tests/cluster/containers.py says how the services are started, and what is different.
"""

import base64
import csv
import http.client
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.cluster import compose_file
from tests.cluster.containers import Containers, containers
from tests.cluster.network import forwarded

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ROWS = ("retinanet", "faster_rcnn")
SMALL = ("data.train=32", "data.val=8", "train.epochs=1", "train.warmup_iterations=2")
"""What makes the quickstart small enough for a test."""
SEARCH = "api/2.0/mlflow/experiments/search"


@dataclass
class Box:
    """The services, and how they are reached from this machine."""

    running: Containers
    dashboard: str
    mlflow: str
    commands: set[str] = field(default_factory=set)
    """Every command line that was seen while a job ran."""

    def secret(self, name: str) -> str:
        service, file = name.split("/")
        return (self.running.volume(f"{service}-secrets") / file).read_text().strip()

    def locbench(self, *words: str, folder: Path) -> "subprocess.Popen[str]":
        keys = {
            "RAY_AUTH_TOKEN_PATH": str(self.running.volume("ray-secrets") / "ray_token"),
            "MLFLOW_TRACKING_USERNAME": "jobs",
            "MLFLOW_TRACKING_PASSWORD": self.secret("mlflow/jobs_password"),
        }
        command = [sys.executable, "-m", "bench", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=folder, env=os.environ | keys, **pipes)  # type: ignore[call-overload, no-any-return]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    pytest.importorskip("flask_wtf", reason="needs mlflow[auth]")
    dashboard, mlflow = (str(port) for port in free_ports(2))
    settings = {"LOCBENCH_DASHBOARD_PORT": dashboard, "LOCBENCH_MLFLOW_PORT": mlflow}
    with containers(tmp_path_factory.mktemp("box"), settings) as running:
        running.up("ray-worker-cpu")
        yield Box(running, f"http://127.0.0.1:{dashboard}", f"http://127.0.0.1:{mlflow}")


@pytest.fixture(scope="module")
def submitted(box: Box, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the quickstart, run as a job, printed."""
    words = ["submit", "quickstart", "--rows", ",".join(ROWS), "--address", box.dashboard, "--follow"]
    words += [word for setting in SMALL for word in ("--set", setting)]
    process = box.locbench(*words, folder=tmp_path_factory.mktemp("laptop"))
    while process.poll() is None:
        box.commands |= command_lines()
        time.sleep(0.2)
    assert process.stdout is not None
    said = process.stdout.read()
    assert process.returncode == 0, said
    return said


def test_the_leaderboard_of_the_quickstart_is_read_from_mlflow(box: Box, submitted: str, tmp_path: Path) -> None:
    words = ["leaderboard", "quickstart", "--format", "csv", "--tracking", box.mlflow, "--storage", str(tmp_path)]
    shown, _ = box.locbench(*words, folder=tmp_path).communicate(timeout=200)
    measured = list(csv.DictReader(io.StringIO(shown[shown.index("row,") :])))
    assert {line["row"]: line["status"] for line in measured} == dict.fromkeys(ROWS, "done")
    results = [json.loads(file.read_text()) for file in box.running.volume("runs").glob("steps/*/result.json")]
    assert on_the_board(measured, "AP50") == in_the_steps(results, "metrics", "AP50")
    assert on_the_board(measured, "AR100") == in_the_steps(results, "metrics", "AR100") != pytest.approx([0.0, 0.0])
    assert on_the_board(measured, "params_m") == in_the_steps(results, "cost", "params_m")


def on_the_board(lines: list[dict[str, str]], name: str) -> list[float]:
    return sorted(float(line[name]) for line in lines)


def in_the_steps(results: list[dict[str, Any]], kind: str, name: str) -> Any:
    return pytest.approx(sorted(result[kind][name] for result in results if name in result.get(kind, {})))


def test_no_secret_is_in_a_command_line_a_log_a_run_or_a_file(box: Box, submitted: str) -> None:
    names = [f"{path.parent.name.removesuffix('-secrets')}/{path.name}" for path in secret_files(box)]
    values = {found for name in names for found in re.findall(r"[0-9a-f]{32,}", box.secret(name))}
    assert len(names) == 7
    assert len(values) == 5, "the files hold fewer or more secrets than are made"
    assert any("ray start" in line for line in box.commands)
    assert any("bench run" in line for line in box.commands)
    seen = {"command line": "\n".join(box.commands).encode(), "job": submitted.encode()}
    seen |= {"jobs": ask(f"{box.dashboard}/api/jobs/", token=box.secret("ray/ray_token"))[1]}
    seen |= {
        "runs": ask(f"{box.mlflow}/api/2.0/mlflow/runs/search", body=b'{"experiment_ids": ["1"]}', login=jobs(box))[1]
    }
    kept = [path for path in box.running.folder.rglob("*") if path.is_file() and path not in secret_files(box)]
    assert any("session" in str(path) for path in kept)
    seen |= {str(path): content(path) for path in kept}
    assert b"faster_rcnn" in seen["runs"]
    assert [place for place, content in seen.items() if any(value.encode() in content for value in values)] == []


@pytest.mark.parametrize("token", [None, "0" * 64])
@pytest.mark.parametrize(
    "path", ["api/version", "api/jobs/", "nodes?view=summary", "api/v0/logs", "api/packages/gcs/x"]
)
def test_the_dashboard_refuses(box: Box, path: str, token: str | None) -> None:
    assert ask(f"{box.dashboard}/{path}", token=token)[0] == (403 if token else 401)


def test_a_job_without_the_token_is_refused(box: Box) -> None:
    job = json.dumps({"entrypoint": "true"}).encode()
    assert ask(f"{box.dashboard}/api/jobs/", body=job)[0] == 401
    assert ask(f"{box.dashboard}/api/jobs/", body=job, token="0" * 64)[0] == 403
    assert ask(f"{box.dashboard}/api/version", token=box.secret("ray/ray_token"))[0] == 200


@pytest.mark.parametrize(
    ("port", "method"),
    [
        (6379, "InternalKVGcsService/InternalKVGet"),
        (6379, "JobInfoGcsService/GetNextJobID"),
        (10001, "RayletDriver/ClusterInfo"),
        (10001, "RayletDriver/KVGet"),
    ],
)
def test_the_ray_client_and_the_head_refuse(box: Box, port: int, method: str) -> None:
    address = f"{box.running.network.address('ray-head')}:{port}"
    assert call(address, method) == grpc.StatusCode.UNAUTHENTICATED
    assert call(address, method, "0" * 64) == grpc.StatusCode.UNAUTHENTICATED
    assert call(address, method, box.secret("ray/ray_token")) != grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("node", ["ray-head", "ray-worker-cpu"])
def test_every_port_of_a_node_refuses_or_shows_no_more_than_counters(box: Box, node: str) -> None:
    """Each is asked for whatever Ray may offer there; none may answer with more than the public page or metrics."""
    methods = ["CoreWorkerService/PushTask", "NodeManagerService/RequestWorkerLease", "ObjectManagerService/Pull"]
    refused = 0
    network = box.running.network
    for port in listening(network.inside(node)):
        address = f"{network.address(node)}:{port}"
        status, content = ask(f"http://{address}/api/version")
        assert status in (0, 401) or content.startswith(b"# HELP"), f"{node}:{port} answers {content[:80]!r}"
        answers = [call(address, method) for method in methods]
        assert grpc.StatusCode.OK not in answers, f"{node}:{port}"
        refused += status == 401 or grpc.StatusCode.UNAUTHENTICATED in answers
    assert refused >= 3


@pytest.mark.parametrize("login", [None, ("admin", "0" * 48), ("admin", "password1234"), ("jobs", ""), ("", "")])
@pytest.mark.parametrize("path", ["", SEARCH, "graphql", "api/2.0/mlflow-artifacts/artifacts", "metrics", "signup"])
def test_mlflow_refuses(box: Box, path: str, login: tuple[str, str] | None) -> None:
    assert ask(f"{box.mlflow}/{path}", login=login)[0] == 401


def test_mlflow_takes_its_passwords_for_what_they_are_worth(box: Box) -> None:
    search = b'{"max_results": 1}'
    admin = ("admin", box.secret("mlflow/admin_password"))
    assert [ask(f"{box.mlflow}/{SEARCH}", body=search, login=login)[0] for login in (admin, jobs(box))] == [200, 200]
    account = json.dumps({"username": "friend", "password": "0" * 20}).encode()
    assert ask(f"{box.mlflow}/api/2.0/mlflow/users/create", body=account, login=jobs(box))[0] == 403


def test_mlflow_answers_to_its_own_names_only(box: Box) -> None:
    assert ask(f"{box.mlflow}/{SEARCH}", body=b"{}", login=jobs(box), host="evil.example")[0] == 403
    assert ask(f"{box.mlflow}/{SEARCH}", body=b'{"max_results": 1}', login=jobs(box), host="mlflow:5000")[0] == 200


def test_postgres_refuses(box: Box) -> None:
    def login(role: str, database: str, environment: str) -> str:
        words = f"--host=postgres --username={role} --dbname={database} --no-password -Atc 'select 7'"
        query = f"env {environment} psql {words}"
        done = box.running.run("mlflow", "sh", "-c", query)
        return done.stdout.strip() or done.stderr.strip()

    assert login("mlflow", "mlflow", "") == "7"
    assert "no password supplied" in login("mlflow", "mlflow", "PGPASSFILE=/none")
    assert "password authentication failed" in login("mlflow", "mlflow", "PGPASSFILE=/none PGPASSWORD=mlflow")
    assert "no pg_hba.conf entry" in login("locbench", "postgres", "")
    assert "no pg_hba.conf entry" in login("mlflow", "postgres", "")


def test_outside_nothing_answers_unless_the_settings_say_so(box: Box) -> None:
    services, network = box.running.services, box.running.network
    published = {outer for service in services.values() for _, outer, _ in compose_file.ports(service)}
    inside = {port for name in box.running.running for port in listening(network.inside(name))}
    assert len(published) == 2
    assert {5000, 5432, 6379, 8265, 10001} <= inside
    others = set(listening([])) - published
    assert reached_from_outside(box, sorted((published | inside) - others)) == []
    opened = compose_file.load({"LOCBENCH_BIND": "0.0.0.0", "LOCBENCH_MLFLOW_PORT": str(free_ports(1)[0])})["services"]
    ((interface, outer, inner),) = compose_file.ports(opened["mlflow"])
    with forwarded((interface, outer), (network.address("mlflow"), inner)):
        assert reached_from_outside(box, [*published, outer]) == [outer]


def test_a_service_that_dies_is_back_and_new_secrets_replace_the_old(box: Box, submitted: str) -> None:
    running, old = box.running, jobs(box)
    for name in ("mlflow", "postgres", "secrets"):
        running.stop(name)
    running.volume("mlflow-secrets").joinpath("jobs_password").unlink()
    running.up("mlflow")
    assert jobs(box) != old
    question = {"body": b'{"experiment_ids": ["1"]}'}
    assert ask(f"{box.mlflow}/api/2.0/mlflow/runs/search", login=old, **question)[0] == 401
    status, runs = ask(f"{box.mlflow}/api/2.0/mlflow/runs/search", login=jobs(box), **question)
    assert status == 200
    assert b"faster_rcnn" in runs, "the record is gone"


def jobs(box: Box) -> tuple[str, str]:
    return "jobs", box.secret("mlflow/jobs_password")


def secret_files(box: Box) -> list[Path]:
    return sorted((box.running.folder / "volumes").glob("*-secrets/*"))


def command_lines() -> set[str]:
    lines = [content(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
    return {line.replace(b"\0", b" ").decode(errors="replace") for line in lines}


def content(path: Path) -> bytes:
    """Nothing, if it is gone by now."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def ask(
    url: str,
    *,
    body: bytes | None = None,
    token: str | None = None,
    login: tuple[str, str] | None = None,
    host: str | None = None,
) -> tuple[int, bytes]:
    """Status and content; status 0 where nobody speaks HTTP."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"} if body else {})
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
    if host:
        request.add_header("Host", host)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()
    except (OSError, http.client.BadStatusLine):
        return 0, b""


def call(address: str, method: str, token: str = "") -> grpc.StatusCode:
    """What a gRPC method of Ray answers to an empty message."""
    metadata = [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary(f"/ray.rpc.{method}")(b"", timeout=30, metadata=metadata)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
    return grpc.StatusCode.OK


def listening(inside: list[str]) -> list[int]:
    """The TCP ports of a network that are not on its loopback interface."""
    lines = subprocess.run([*inside, "ss", "-tlnH"], capture_output=True, text=True, check=True).stdout.splitlines()
    places = [line.split()[3].rpartition(":") for line in lines]
    return sorted({int(port) for host, _, port in places if "127." not in host})


def reached_from_outside(box: Box, ports: list[int]) -> list[int]:
    """Those ports of this machine that a machine beyond its network reaches."""
    code = (
        "import socket, sys\n"
        "for port in sys.argv[2:]:\n"
        "    with socket.socket() as probe:\n"
        "        probe.settimeout(5)\n"
        "        if probe.connect_ex((sys.argv[1], int(port))) == 0: print(port)\n"
    )
    network = box.running.network
    command = [*network.inside("outside"), sys.executable, "-c", code, network.seen_from_outside, *map(str, ports)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [int(port) for port in found.split()]


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
