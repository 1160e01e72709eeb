"""The deployment's own programs: what makes secrets, what deals out GPUs, what asks for health."""

import http.server
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ray", "mlflow", "postgres"):
        (tmp_path / name).mkdir()
    return tmp_path


def make_secrets(folder: Path) -> tuple[str, dict[str, str]]:
    """What it says, and what lies there afterwards."""
    command = [sys.executable, str(DEPLOY / "generate_secrets.py"), str(folder)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    files = {str(path.relative_to(folder)): path.read_text() for path in folder.glob("*/*")}
    return said.stdout + said.stderr, files


def test_secrets_are_long_different_private_and_not_shown(folder: Path) -> None:
    said, files = make_secrets(folder)
    assert len(files) == 7
    lone = [files[name] for name in ("ray/ray_token", "mlflow/admin_password", "mlflow/jobs_password")]
    lone += [files["mlflow/signing_key"], files["postgres/password"]]
    assert len(set(lone)) == 5
    assert min(map(len, lone)) >= 48
    assert not any(secret in said for secret in lone)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*/*")} == {0o400}
    assert files["mlflow/jobs_password"] in files["ray/mlflow_credentials"]
    assert files["mlflow/pgpass"].strip().endswith(f":{files['postgres/password']}")
    assert files["mlflow/admin_password"] not in "".join(
        files[name] for name in files if not name.startswith("mlflow/")
    )


def test_secrets_stay_until_one_is_missing_and_then_all_are_new(folder: Path) -> None:
    _, first = make_secrets(folder)
    assert make_secrets(folder) == ("the secrets are there\n", first)
    (folder / "ray" / "ray_token").unlink()
    _, second = make_secrets(folder)
    assert set(second) == set(first)
    assert all(second[name] != first[name] for name in first)


def test_a_run_that_was_cut_short_is_made_up_for(folder: Path) -> None:
    (folder / "mlflow" / ".signing_key").write_text("half")
    (folder / "postgres" / "password").write_text("of an earlier set")
    _, files = make_secrets(folder)
    assert files["postgres/password"] != "of an earlier set"  # pragma: allowlist secret
    assert "mlflow/.signing_key" not in files


def with_gpus(count: int, locks: Path, code: str) -> "subprocess.Popen[str]":
    """`with_gpu.py` in a file system whose /dev shows that many GPUs."""
    words = ["bwrap", "--die-with-parent", "--dev-bind", "/", "/", "--dev", "/dev"]
    for number in range(count):
        words += ["--dev-bind", "/dev/null", f"/dev/nvidia{number}"]
    words += ["--dev-bind", "/dev/null", "/dev/nvidiactl"] if count else []
    words += [sys.executable, str(DEPLOY / "ray/with_gpu.py"), str(locks), "sh", "-c", code]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (Debian: bubblewrap)")
def test_each_worker_takes_a_gpu_of_its_own_and_gives_it_back(tmp_path: Path) -> None:
    holding = "echo $CUDA_VISIBLE_DEVICES; read line"
    workers = [with_gpus(2, tmp_path, holding)]
    taken = [workers[0].stdout.readline()]  # type: ignore[union-attr]
    workers.append(with_gpus(2, tmp_path, holding))
    taken.append(workers[1].stdout.readline())  # type: ignore[union-attr]
    assert taken == ["0\n", "1\n"]
    third = with_gpus(2, tmp_path, holding)
    _, said = third.communicate(timeout=60)
    assert third.returncode == 1
    assert "all 2 GPUs: --scale ray-worker=2 is the most" in said
    workers[0].communicate("done\n", timeout=60)
    again = with_gpus(2, tmp_path, "echo $CUDA_VISIBLE_DEVICES")
    assert again.communicate(timeout=60)[0] == "0\n"
    workers[1].communicate("done\n", timeout=60)


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (Debian: bubblewrap)")
def test_no_gpu_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    worker = with_gpus(0, tmp_path, "echo started")
    out, said = worker.communicate(timeout=60)
    assert (worker.returncode, out) == (1, "")
    assert said.count("\n") == 1
    assert "ray-worker-cpu" in said


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/well" else 503)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


def test_health_is_all_addresses_or_none(tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        command = [sys.executable, str(DEPLOY / "healthy.py")]
        asked = (("well",), ("well", "well"), ("well", "ill"), ("ill",))
        codes = [
            subprocess.run([*command, *(f"{address}/{path}" for path in paths)], capture_output=True).returncode
            for paths in asked
        ]
        server.shutdown()
    assert codes == [0, 0, 1, 1]
    assert subprocess.run([*command, f"{address}/well"], capture_output=True).returncode == 1
