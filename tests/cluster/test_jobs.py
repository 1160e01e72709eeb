"""Jobs on a real head that wants a token: submitted, cut off, listed, stopped, failed; and nothing leaks."""

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench import api
from bench.cli import run_app
from bench.cluster.follow import follow
from bench.cluster.head import Head
from bench.cluster.jobs import exit_code
from bench.errors import StepFailed
from bench.track.tracker import Tracker
from tests.cluster.bad_line import cut_twice
from tests.cluster.local_head import PASSWORD, Cluster, end, wait_for, workers_of

STUDY = """title: one row, small enough for a test
data: {kind: synthetic, preset: tiny, size: 64, train: 16, val: 8}
variant: retinanet_tiny
input: {mode: as_is}
train: {epochs: 40, batch_size: 4, lr: 0.01, warmup_iterations: 2, checkpoint_every: 20}
rows: {base: {}}
"""
NO_DATA = STUDY.replace("{kind: synthetic, preset: tiny, size: 64, train: 16, val: 8}", "{kind: coco, root: /nowhere}")
LONG = STUDY.replace("epochs: 40", "epochs: 1000")
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def laptop(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command as on the laptop of a user, in a folder of its own."""
    monkeypatch.chdir(cluster.laptop)
    for name, value in cluster.settings().items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)

    def call(*words: str) -> tuple[int, str, str]:
        code = run_app([*words, "--address", cluster.address])
        return code, *capsys.readouterr()

    return call


def states(laptop: Call) -> dict[str, str]:
    """Study -> state, as `locbench jobs` lists them."""
    code, out, err = laptop("jobs")
    assert code == 0, err
    return {words[1]: words[2] for words in map(str.split, out.splitlines()[1:])}


@pytest.fixture(scope="module")
def killed(cluster: Cluster) -> str:
    """The job of a study whose submitting process was killed while it followed."""
    (cluster.laptop / "mine.yaml").write_text(STUDY)
    process = cluster.start("submit", "mine.yaml", "--follow")
    assert process.stdout is not None
    assert process.stderr is not None
    job = process.stdout.readline().strip()
    assert "Runtime env is setting up" in process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    said = process.stderr.read().splitlines()
    assert re.match(r"packs \d+ files, \d\.\d MB: bench .*, studies 0\.0 MB", said[0])
    assert said[-1] == f"follow: locbench logs {job} --address {cluster.address} --follow; " + (
        f"end: locbench stop {job} --address {cluster.address}"
    )
    process.wait(20)
    return job


def test_a_job_outlives_who_submitted_it_and_the_worker_that_trains(
    laptop: Call, killed: str, cluster: Cluster
) -> None:
    assert killed.startswith("mine-")
    assert states(laptop)["mine"] in ("waiting", "running")
    steps = cluster.storage / "steps"
    wait_for(lambda: any(steps.glob("train-*/checkpoints/*.pt")))
    (trains,) = workers_of(cluster.process, "ImplicitFunc.train")
    trains.kill()
    wait_for(lambda: states(laptop)["mine"] not in ("waiting", "running"))
    assert states(laptop)["mine"] == "done", laptop("logs", killed)[1]
    (trained,) = (json.loads(file.read_text()) for file in steps.glob("train-*/result.json"))
    assert 0 < trained["resumed_at"] < trained["iterations"] == 160
    frame = api.leaderboard("mine", storage=cluster.storage)
    assert list(frame.index.get_level_values("row")) == ["base"]


def test_its_log_is_whole_and_can_be_followed_again(laptop: Call, killed: str) -> None:
    code, out, _ = laptop("logs", killed)
    assert code == 0
    assert "base · seed 0: done AP " in out
    assert "page: " in out
    assert laptop("logs", killed, "--follow") == (0, out, f"{killed} is done\n")


def test_its_records_name_the_revision_of_the_code_that_came_along(killed: str, cluster: Cluster) -> None:
    came = {file.read_text() for file in cluster.folder.rglob("bench/REVISION")}
    records = Tracker(None, cluster.storage).records("mine")
    assert {run.tags["git_revision"] for run in records} == came
    assert "none" not in came


def test_no_secret_is_left_in_commands_logs_records_or_packs(cluster: Cluster, killed: str) -> None:
    secrets = (cluster.token.encode(), PASSWORD.encode())
    commands = [" ".join(process.info["cmdline"] or ()).encode() for process in psutil.process_iter(["cmdline"])]
    assert not [command for command in commands if any(secret in command for secret in secrets)]
    files = [path for path in cluster.folder.rglob("*") if path.is_file()]
    for wanted in (
        "job-driver-*.log",
        "mlflow.db",
        "runtime_env_agent.log",
        "working_dir_files/*/bench/cli/cluster.py",
    ):
        assert any(path.match(wanted) for path in files), wanted
    assert not [path for path in files if any(secret in path.read_bytes() for secret in secrets)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"RAY_AUTH_TOKEN": ""}, "the cluster wants a token; set RAY_AUTH_TOKEN"),
        ({"RAY_AUTH_TOKEN": "0" * 64}, "the token is refused: it is wrong, or the cluster has another one by now; set"),
        ({"RAY_AUTH_TOKEN": "", "RAY_AUTH_TOKEN_PATH": "/nowhere"}, "/nowhere: the token cannot be read"),
    ],
    ids=["none", "wrong", "unreadable"],
)
@pytest.mark.parametrize("command", ["submit quickstart", "jobs", "logs some --follow", "stop some"])
def test_without_the_right_token_nothing_is_done(
    command: str, settings: dict[str, str], said: str, laptop: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Ray leaves a token of its own in the home of whoever starts a cluster without one.
    for name, value in ({"HOME": str(tmp_path)} | settings).items():
        monkeypatch.setenv(name, value)
    code, out, err = laptop(*command.split())
    assert (code, out) == (2, "")
    assert said in err.splitlines()[-1]
    assert "0000" not in err
    assert err.count("\n") == 1 + command.startswith("submit"), "besides what would be packed"


def test_a_token_in_a_file_does(laptop: Call, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    (cluster.laptop / "token").write_text(cluster.token + "\n")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(cluster.laptop / "token"))
    assert laptop("jobs")[0] == 0


def test_the_exit_code_of_a_failed_job_arrives(laptop: Call, cluster: Cluster) -> None:
    (cluster.laptop / "nodata.yaml").write_text(NO_DATA)
    code, out, err = laptop("submit", "nodata.yaml", "--follow")
    assert code == 2
    job, last = out.splitlines()[0], out.splitlines()[-1]
    assert last.startswith("locbench: ")
    assert "/nowhere" in last
    assert err.splitlines()[-1] == f"{job} failed with exit code 2; its last lines say why"
    assert states(laptop)["nodata"] == "failed"


def test_a_job_is_stopped_once_and_not_submitted_twice(laptop: Call, cluster: Cluster) -> None:
    (cluster.laptop / "long.yaml").write_text(LONG)
    code, job, _ = laptop("submit", "long.yaml")
    job = job.strip()
    assert code == 0
    code, out, err = laptop("submit", "long.yaml")
    assert (code, out) == (2, "")
    assert f"{job} does exactly this already; follow it with: locbench logs {job} --follow" in err
    assert states(laptop)["long"] in ("waiting", "running")
    wait_for(lambda: "base · seed 0: training" in laptop("logs", job)[1])
    assert laptop("stop", job) == (0, f"{job} is told to stop\n", "")
    code, out, err = laptop("logs", job, "--follow")
    assert code == 130
    assert "finished rows are kept; the same command goes on from there\n" in out
    assert "was stopped" in err
    assert states(laptop)["long"] == "stopped"
    assert laptop("stop", job) == (0, f"{job} had ended already\n", "")


@pytest.mark.parametrize("command", ["logs", "stop"])
def test_an_unknown_job_is_one_line(command: str, laptop: Call, killed: str) -> None:
    code, out, err = laptop(command, killed[:-1])
    assert (code, out) == (2, "")
    assert err.endswith(f"no job is called {killed[:-1]!r}; did you mean {killed!r}?\n")


def test_a_dry_run_says_all_and_uploads_nothing(laptop: Call, cluster: Cluster) -> None:
    before = states(laptop)
    code, out, err = laptop("submit", "quickstart", "--dry-run", "--profile", "full", "--rows", "retinanet")
    assert code == 0
    assert out.endswith("run quickstart --address auto --profile full --rows retinanet\n")
    assert "the cluster has 1 nodes, 2 CPUs, 0 GPUs" in err
    assert states(laptop) == before


def test_a_mistake_in_the_study_is_found_before_anything_is_sent(laptop: Call, cluster: Cluster) -> None:
    (cluster.laptop / "wrong.yaml").write_text(STUDY.replace("epochs", "epoks"))
    code, out, err = laptop("submit", "wrong.yaml")
    assert (code, out) == (2, "")
    assert "did you mean 'epochs'?" in err
    assert err.count("\n") == 1


def test_a_line_that_breaks_is_made_anew_and_nothing_is_said_twice(laptop: Call, cluster: Cluster) -> None:
    enough = cluster.laptop / "enough"
    heard: list[str] = []
    counts = f"i=0; until [ -e {enough} ] || [ $i = 1000 ]; do i=$((i+1)); echo line $i; sleep 0.1; done"
    with cut_twice(int(cluster.address.rpartition(":")[2])) as (address, cuts_to_come):

        def hear(text: str) -> None:
            heard.append(text)
            if not cuts_to_come[0]:
                enough.touch()

        head = Head(address)
        job = head.submit(entrypoint=counts, submission_id="counts")
        ended = follow(head, job, hear)
    assert exit_code(ended) == 0
    assert "".join(heard) == Head(cluster.address).log(job)
    lines = [line for line in "".join(heard).splitlines() if line.startswith("line")]
    assert lines == [f"line {i + 1}" for i in range(len(lines))]


def test_a_head_that_goes_away_is_one_line(laptop: Call, cluster: Cluster) -> None:
    """The last test of this file: the head is gone afterwards."""
    head = Head(cluster.address)
    job = head.submit(entrypoint="echo here; sleep 100", submission_id="sleeps")
    heard: list[str] = []

    def hear(text: str) -> None:
        heard.append(text)
        if "here\n" in "".join(heard):
            end(cluster.process)

    with pytest.raises(StepFailed, match=r"has not answered for 2 s; when it is back: locbench logs sleeps --follow"):
        follow(head, job, hear, patience=2)
    code, out, err = laptop("logs", job)
    assert (code, out) == (2, "")
    assert "no cluster answers there" in err
