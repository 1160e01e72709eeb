"""What stands at an address: nothing, something else, a page to log in; and what an address may be."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ray.job_submission import JobDetails, JobStatus, JobType

from bench.cluster.follow import Shown
from bench.cluster.head import Head, HeadAway, checked
from bench.cluster.jobs import ending, exit_code
from bench.cluster.token import find_token
from bench.errors import UserError
from tests.cluster.local_head import FROM_OUTSIDE, free_port


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in FROM_OUTSIDE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


class Other(BaseHTTPRequestHandler):
    """A web server that is no head: the path of its address says how it answers."""

    def do_GET(self) -> None:
        status, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def other() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    "answer",
    [(404, b"not found"), (200, b"<html>please log in</html>"), (200, b"{}"), (200, b"[]"), (500, b"oh"), (502, b"")],
)
def test_something_else_is_not_taken_for_a_head(answer: tuple[int, bytes], other: HTTPServer) -> None:
    other.answer = answer  # type: ignore[attr-defined]
    address = f"http://127.0.0.1:{other.server_port}"
    with pytest.raises(UserError, match=f"^--address {address}: something answers there that is not the head"):
        Head(address)


def test_a_server_without_encryption_is_no_https(other: HTTPServer) -> None:
    with pytest.raises(UserError, match="cannot be trusted, or speaks plain http; set REQUESTS_CA_BUNDLE"):
        Head(f"https://127.0.0.1:{other.server_port}")


def test_nothing_there_is_one_line() -> None:
    with pytest.raises(HeadAway, match="no cluster answers there; check the address, that the head runs"):
        Head(f"http://127.0.0.1:{free_port()}")


def test_the_address_of_the_user_goes_before_those_of_the_environment(
    other: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.answer = (200, b"{}")  # type: ignore[attr-defined]
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{other.server_port}")
    with pytest.raises(HeadAway):
        Head(f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize(
    "address", ["", "auto", "head", "head:6379", "ray://head:10001", "http://", "http://h:port", "http://h:8265/jobs"]
)
def test_what_is_no_address_of_a_job_api(address: str) -> None:
    with pytest.raises(UserError, match="is not the address of a Job API; jobs go to the dashboard of the head"):
        checked(address)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UserError, match="holds a password") as raised:
        checked("https://me:tr0ub4dor@head:8265")  # pragma: allowlist secret
    assert "tr0ub4dor" not in str(raised.value)


@pytest.mark.parametrize("address", ["http://head:8265", "https://ray.example.org", "http://[::1]:8265/"])
def test_addresses(address: str) -> None:
    assert checked(address) == address.rstrip("/")


def test_where_a_token_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_token() == ""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("of the home\n")
    assert find_token() == "of the home"
    (tmp_path / "file").write_text(" of a file ")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "file"))
    assert find_token() == "of a file"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of the environment")
    assert find_token() == "of the environment"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert find_token() == ""


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_a_log_that_is_read_again_and_again_is_shown_once(size: int) -> None:
    text = "".join(f"line {i}\n" for i in range(10))
    heard: list[str] = []
    shown = Shown(heard.append)
    for stop in (0, 5, 33, 20, len(text)):
        at = 0
        for begin in range(0, stop, size):
            at = shown.part(text[begin : min(begin + size, stop)], at)
    assert "".join(heard) == text


@pytest.mark.parametrize(
    ("status", "code", "message", "exits", "says"),
    [
        (JobStatus.SUCCEEDED, 0, "", 0, "j is done"),
        (JobStatus.STOPPED, None, "", 130, "j was stopped; finished rows are kept"),
        (JobStatus.FAILED, 1, "", 1, "j failed with exit code 1; its last lines say why"),
        (JobStatus.FAILED, 130, "", 130, "j failed with exit code 130"),
        (JobStatus.FAILED, -9, "", 137, "j failed with exit code -9"),
        (JobStatus.FAILED, None, "first\n  actor died \n\n", 1, "j was lost by the cluster: actor died; the same"),
        (JobStatus.FAILED, None, None, 1, "j was lost by the cluster: no reason is known"),
    ],
)
def test_what_a_job_came_to(status: JobStatus, code: int | None, message: str | None, exits: int, says: str) -> None:
    job = JobDetails(
        type=JobType.SUBMISSION,
        submission_id="j",
        status=status,
        entrypoint="x",
        driver_exit_code=code,
        message=message,
    )
    assert exit_code(job) == exits
    assert ending(job).startswith(says)
