"""Finished steps by content: a folder a step, complete from the moment its `result.json` stands in it."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.study.steps.graph import Step
from bench.study.steps.remote import Remote
from bench.study.steps.result import PROGRESS, RESULT, read_json

FREE_BYTES_WANTED = 200 * 2**20


class StepCache:
    """`root/steps/<kind>-<digest>/`. Failures leave a log, never a result, so the next run does them again."""

    def __init__(self, root: Path, remote: Remote | None = None) -> None:
        self.root, self._remote = root.resolve(), remote
        check_writable(self.root)

    def folder(self, step: Step) -> Path:
        path = self.root / "steps" / step.name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def folders_of_needs(self, step: Step) -> list[str]:
        return [str(self.root / "steps" / name) for name in step.needs]

    def done(self, step: Step) -> bool:
        return (self.root / "steps" / step.name / RESULT).is_file()

    def done_at(self, step: Step) -> float:
        """Seconds since 1970."""
        return (self.root / "steps" / step.name / RESULT).stat().st_mtime

    def share(self, step: Step) -> None:
        """Takes a step from the remote place if it is done there and not here, or gives it; nothing without one.

        What cannot be given now is given by the next run: the step itself is kept.
        """
        if self._remote is None:
            return
        try:
            if self.done(step):
                self._remote.push(step, self.folder(step))
            else:
                self._remote.pull(step, self.root / "steps" / step.name)
        except OSError as error:
            reason = str(error).strip().partition("\n")[0]
            print(f"{step.name} is not shared with {self._remote.uri}: {reason}", file=sys.stderr)

    def result(self, step: Step) -> dict[str, Any]:
        result: dict[str, Any] = json.loads((self.folder(step) / RESULT).read_text())
        return result

    def progress(self, step: Step) -> dict[str, Any]:
        return read_json(self.folder(step) / PROGRESS)


def check_writable(root: Path) -> None:
    """Refuses a folder that cannot be written, or a disk that is about to be full, before any work is spent."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe = root / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"cannot write here ({error.strerror})", where=str(root), remedy="choose another with --storage"
        ) from error
    free = shutil.disk_usage(root).free
    if free < FREE_BYTES_WANTED:
        raise UserError(
            f"only {free // 2**20} MiB are free", where=str(root), remedy="free some, or choose another with --storage"
        )
