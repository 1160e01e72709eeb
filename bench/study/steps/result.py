"""Files of a step's folder. What makes it done is its result, which is whole or not there."""

import json
import os
from pathlib import Path
from typing import Any

RESULT, ERROR, TRACEBACK, PROGRESS = "result.json", "error.txt", "traceback.txt", "progress.json"


def finish(folder: Path, result: dict[str, Any]) -> None:
    """Marks a step as done, all or nothing."""
    write_json(folder / RESULT, result)
    (folder / ERROR).unlink(missing_ok=True)


def write_json(file: Path, content: Any) -> None:
    """Replaces a file in one move, so that no reader ever sees half of it."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    with temporary.open("w") as stream:
        json.dump(content, stream, indent=1, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(file)


def read_json(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content
