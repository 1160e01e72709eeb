"""A line to a server on this machine that breaks: streams that it carries are cut in the middle, twice."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CUTS = 2
PIECES_BEFORE_A_CUT = 2


@contextmanager
def cut_twice(port: int) -> Iterator[tuple[str, list[int]]]:
    """The address under which the server can be reached over the bad line, and how many cuts are still to come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        left = [CUTS]
        threading.Thread(target=_accept, args=(listener, port, left), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", left
        assert left == [0], "no stream was long enough to be cut"


def _accept(listener: socket.socket, port: int, left: list[int]) -> None:
    with suppress(OSError):
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=_carry, args=(near, far, None), daemon=True).start()
            threading.Thread(target=_carry, args=(far, near, left), daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket, left: list[int] | None) -> None:
    pieces, stream = 0, False
    with suppress(OSError):
        while data := source.recv(4096):
            stream = stream or b"101 Switching Protocols" in data
            pieces += stream
            sink.sendall(data)
            if left and left[0] and pieces > PIECES_BEFORE_A_CUT:
                left[0] -= 1
                break
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
