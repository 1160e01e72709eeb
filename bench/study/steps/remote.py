"""Finished steps shared through any file system that pyarrow reaches: S3, GCS, HDFS, or a folder on a server."""

from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.study.steps.graph import Step
from bench.study.steps.result import RESULT


class Remote:
    """`uri/steps/<kind>-<digest>/`; as everywhere, a step is whole from the moment its result stands in it."""

    def __init__(self, uri: str) -> None:
        from pyarrow import fs

        self.uri = uri
        try:
            self._files, base = fs.FileSystem.from_uri(uri)
            self._files.create_dir(f"{base}/steps", recursive=True)
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            remedy = "for example s3://bucket/folder; see docs/cluster.md for keys and endpoints"
            raise UserError(f"cannot be reached: {reason}", where=f"--remote {uri}", remedy=remedy) from error
        self._base = f"{base}/steps"

    def pull(self, step: Step, folder: Path) -> bool:
        """Brings a step that somebody finished into a folder of its own; False if nobody did."""
        there = f"{self._base}/{step.name}"
        if not self._exists(f"{there}/{RESULT}"):
            return False
        for name in self._names(there):
            if name != RESULT:
                self._fetch(f"{there}/{name}", folder / name)
        self._fetch(f"{there}/{RESULT}", folder / RESULT)
        return True

    def push(self, step: Step, folder: Path) -> None:
        """Sends a finished step, its result last."""
        there = f"{self._base}/{step.name}"
        if self._exists(f"{there}/{RESULT}"):
            return
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / RESULT):
            self._send(path, f"{there}/{path.relative_to(folder).as_posix()}")
        self._send(folder / RESULT, f"{there}/{RESULT}")

    def _exists(self, path: str) -> bool:
        from pyarrow import fs

        return bool(self._files.get_file_info(path).type == fs.FileType.File)

    def _names(self, folder: str) -> list[str]:
        from pyarrow import fs

        found: list[Any] = self._files.get_file_info(fs.FileSelector(folder, recursive=True))
        prefix = f"{folder}/"
        return [info.path.removeprefix(prefix) for info in found if info.type == fs.FileType.File]

    def _fetch(self, there: str, here: Path) -> None:
        """Whole or not at all."""
        here.parent.mkdir(parents=True, exist_ok=True)
        beside = here.with_name(f".{here.name}.part")
        with self._files.open_input_stream(there) as source, beside.open("wb") as target:
            while block := source.read(2**20):
                target.write(block)
        beside.replace(here)

    def _send(self, here: Path, there: str) -> None:
        self._files.create_dir(there.rpartition("/")[0], recursive=True)
        with here.open("rb") as source, self._files.open_output_stream(there) as target:
            while block := source.read(2**20):
                target.write(block)
