"""A tracking server that wants a name and password is one line, not a fault of ours."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.track.tracker import Tracker


class Closed(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="mlflow"')
        self.end_headers()
        self.wfile.write(b"You are not authenticated.")

    do_POST = do_PATCH = do_GET

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def closed() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Closed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_the_line_names_the_remedy(tmp_path: Path, closed: str) -> None:
    tracker = Tracker(closed, tmp_path)
    with pytest.raises(UserError, match="wants a name and its password") as error:
        tracker.records("study")
    assert "MLFLOW_TRACKING_USERNAME" in str(error.value)
    tracker.close()
