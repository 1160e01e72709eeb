"""The launch scripts: clean shell, a usage line, and the command that they make of a study and options."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps import FOLDER

SCRIPTS = sorted((FOLDER / "launch").glob("*.sh"))
OPTIONS = [
    "--profile",
    "smoke",
    "--set",
    "data.root=/my data/$HOME;`x`",
    "--set",
    "detector.post.vote=null",
    "--dry-run",
]
STUDY = """title: t
variant: faster_rcnn_tiny
data: {kind: synthetic, preset: tiny}
rows: {base: {}, other: {train.lr: 0.1}}
"""
JOB = {"SLURM_JOB_ID": "1234567", "SLURM_JOB_NUM_NODES": "2", "SLURM_GPUS_ON_NODE": "8", "SLURM_CPUS_PER_TASK": "64"}
STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" > "$SEEN"
printf '%s' "${RAY_AUTH_TOKEN:-}" > "$SEEN.token"
"""


class Launch:
    """Runs scripts where commands that stand in for others note how they were called."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.seen = folder / "bin", folder / "seen"
        self.bin.mkdir()
        self.stand_in("hostname", "#!/bin/sh\necho '10.0.0.5 172.17.0.1 '\n")

    def stand_in(self, command: str, script: str = STAND_IN) -> None:
        path = self.bin / command
        path.write_text(script)
        path.chmod(0o755)

    def __call__(self, script: str, *words: str, **more: str) -> list[str]:
        """What the stand-in was called with."""
        environment = {"PATH": f"{self.bin}:{os.environ['PATH']}", "SEEN": str(self.seen), **more}
        subprocess.run([FOLDER / "launch" / script, *words], env=environment, check=True, cwd=self.bin)
        return self.seen.read_text().splitlines()

    @property
    def token(self) -> str:
        return Path(f"{self.seen}.token").read_text()


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    return Launch(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    shellcheck = shutil.which("shellcheck") or pytest.skip("shellcheck is not installed")
    found = subprocess.run([shellcheck, script], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_without_a_study_they_say_how_to_call_them(script: Path) -> None:
    said = subprocess.run([script], capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("usage: ")
    assert said.stderr.count("\n") == 1
    assert "STUDY [OPTION…]" in said.stderr


@pytest.mark.parametrize(
    ("words", "environment", "expected"),
    [
        (["one_gpu.sh"], {}, ["--workers", "1", "--gpus-per-worker", "1"]),
        (["one_node.sh"], {}, ["--workers", "8", "--gpus-per-worker", "1"]),
        (["one_node.sh"], {"GPUS": "4"}, ["--workers", "4", "--gpus-per-worker", "1"]),
        (["ray_cluster.sh", "head:6379"], {}, ["--address", "head:6379"]),
    ],
)
def test_options_are_passed_on_as_they_are(
    launch: Launch, words: list[str], environment: dict[str, str], expected: list[str]
) -> None:
    launch.stand_in("locbench")
    assert launch(*words, "my study.yaml", *OPTIONS, **environment) == ["run", "my study.yaml", *expected, *OPTIONS]


def test_a_dashboard_s_address_gets_a_job(launch: Launch) -> None:
    launch.stand_in("locbench")
    for address in ("https://head:8265", "http://localhost:8265"):
        called = launch("ray_cluster.sh", address, "paa/table3", *OPTIONS)
        assert called == ["submit", "paa/table3", "--address", address, *OPTIONS]


@pytest.mark.parametrize("words", [["one_gpu.sh"], ["one_node.sh"], ["ray_cluster.sh", "127.0.0.1:1"]])
def test_a_tiny_study(words: list[str], tmp_path: Path) -> None:
    study = tmp_path / "it's my study.yaml"
    study.write_text(STUDY)
    said = subprocess.run(
        [FOLDER / "launch" / words[0], *words[1:], study, "--dry-run", "--workers", "1", "--rows", "other"],
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    assert "1 x (other)" in said.stdout


def test_slurm_starts_ray_on_all_nodes_and_the_study_on_the_first(launch: Launch) -> None:
    launch.stand_in("srun")
    called = launch("slurm.sh", "my study.yaml", *OPTIONS, **JOB)
    ray = called.index("ray")
    assert called[:ray] == ["--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--cpus-per-task=64"]
    ends = called.index("--", ray)
    assert called[ends + 1 :] == [
        *["locbench", "run", "my study.yaml", "--address", "10.0.0.5:24567", "--workers", "8"],
        *["--gpus-per-worker", "1", "--storage", str(launch.bin / "runs"), *OPTIONS],
    ]
    assert called[ray + 1] == "symmetric-run"
    from ray.scripts.scripts import start
    from ray.scripts.symmetric_run import curate_and_validate_ray_start_args, symmetric_run

    read = symmetric_run.make_context("symmetric-run", called[ray + 2 :]).params
    assert (read["address"], read["min_nodes"]) == ("10.0.0.5:24567", 2)
    assert curate_and_validate_ray_start_args(called[ray + 2 : ends]) == ["--num-cpus=64", "--num-gpus=8"]
    assert {"--num-cpus", "--num-gpus"} <= {name for option in start.params for name in option.opts}


def test_slurm_without_gpus_and_with_what_the_user_says(launch: Launch) -> None:
    launch.stand_in("srun")
    job = {name: value for name, value in JOB.items() if "GPUS" not in name}
    called = launch("slurm.sh", "quickstart", **job, HEAD_IP="10.1.0.1", LOCBENCH_STORAGE="/shared/my runs")
    assert called[called.index("--workers") :] == [
        *["--workers", "1", "--gpus-per-worker", "0", "--storage", "/shared/my runs"]
    ]
    assert called.count("10.1.0.1:24567") == 2


def test_the_ray_of_a_slurm_job_has_a_token_of_its_own(launch: Launch) -> None:
    launch.stand_in("srun")
    tokens = set()
    for _ in range(2):
        called = launch("slurm.sh", "quickstart", **JOB)
        tokens.add(launch.token)
        assert launch.token not in " ".join(called)
    assert {len(token) for token in tokens} == {64}
    assert len(tokens) == 2
    launch("slurm.sh", "quickstart", **JOB, RAY_AUTH_TOKEN="mine")
    assert launch.token == "mine"
