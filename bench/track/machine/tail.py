"""Follows a file of JSON lines that another process writes."""

import json
from pathlib import Path
from typing import Any


class Tail:
    """Gives each whole line once; a file that is not there yet has none."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0

    def lines(self) -> list[dict[str, Any]]:
        """What was added since the last call. A line that a crash cut short, or that is no JSON, is left out."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                text = file.read()
        except OSError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        return [found for line in whole.splitlines() if isinstance(found := _parsed(line), dict)]


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
