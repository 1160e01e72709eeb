"""A write-ahead journal: every record is a line on disk before it is sent, and is kept until it has arrived.

One file a process, locked for as long as the process lives. A process that starts later adopts the files that dead
processes left. Sending a line twice changes nothing (see `store`), so a file is simply emptied once all of it arrived.
"""

import fcntl
import json
import os
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from bench.errors import UserError

Entry = dict[str, Any]


class Journal:
    """The lines of one process that have not all arrived yet."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file: IO[bytes] = path.open("a+b", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._arrived = 0
        self._lock = threading.Lock()

    @classmethod
    def of_this_process(cls, folder: Path) -> "Journal":
        return cls(folder / f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl")

    @classmethod
    def left_behind(cls, folder: Path) -> Iterator["Journal"]:
        """The journals of processes that are gone, oldest first."""
        for path in sorted(folder.glob("*.jsonl"), key=_modified):
            try:
                journal = cls(path)
            except OSError:
                continue
            if path.exists():
                yield journal

    def append(self, entry: Entry) -> None:
        line = json.dumps(entry, separators=(",", ":")) + "\n"
        with self._lock:
            end = self._file.seek(0, os.SEEK_END)
            try:
                self._file.write(line.encode())
            except OSError as error:
                self._file.truncate(end)
                what, remedy = f"cannot write: {error.strerror}", "free space, then give the same command"
                raise UserError(what, where=str(self.path), remedy=remedy) from error

    def waiting(self) -> list[Entry]:
        """The entries that have not arrived. A line cut off by a crash is left out."""
        with self._lock:
            self._file.seek(self._arrived)
            lines = self._file.read().split(b"\n")[:-1]
        return [json.loads(line) for line in lines if line]

    def arrived(self, count: int) -> None:
        """The next `count` entries are safe elsewhere."""
        with self._lock:
            self._file.seek(self._arrived)
            lines = self._file.read().split(b"\n")[:count]
            self._arrived += sum(len(line) + 1 for line in lines)
            if self._arrived == self._file.seek(0, os.SEEK_END):
                self._file.truncate(0)
                self._arrived = 0

    def close(self) -> None:
        """Removes the file if nothing waits in it."""
        if not self.waiting():
            self.path.unlink(missing_ok=True)
        self._file.close()


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
