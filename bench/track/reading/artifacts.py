"""Files of a run: through MLflow or, where the record lies on this machine, as they lie."""

import os
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Run
from mlflow.exceptions import MlflowException


def keep(client: MlflowClient, run: Run, path: Path, folder: str, *, steady: bool) -> None:
    """A file goes into `folder`; the files of a folder into `folder` or, without one, a folder of the same name."""
    folder = folder or (path.name if path.is_dir() else "")
    here = local_folder(run.info.artifact_uri or "")
    if steady and here:
        _link(path, here / folder)
    elif not (steady and _is_there(client, run.info.run_id, path, folder)):
        send = client.log_artifacts if path.is_dir() else client.log_artifact
        send(run.info.run_id, str(path), folder or None)


def keep_model(client: MlflowClient, model: LoggedModel, weights: Path) -> None:
    here = local_folder(model.artifact_location)
    if here:
        _link(weights, here)
    else:
        client.log_model_artifact(model.model_id, str(weights))


def fetch(client: MlflowClient, run_id: str, address: str, name: str) -> Path | None:
    """A file or a folder of a run, read where it lies if it lies on this machine: a thousand of them take no time."""
    here = local_folder(address)
    if here:
        return here / name if (here / name).exists() else None
    folder = Path(_downloads().name, run_id)
    folder.mkdir(exist_ok=True)
    try:
        return Path(client.download_artifacts(run_id, name, str(folder)))
    except (MlflowException, OSError):
        return None


@cache
def _downloads() -> TemporaryDirectory[str]:
    """There until the process ends: MLflow by itself would leave a folder behind for every file it fetches."""
    return TemporaryDirectory(prefix="locbench-")


def local_folder(address: str) -> Path | None:
    """The folder of artifacts that lie on this machine."""
    parts = urlsplit(address)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _link(path: Path, folder: Path) -> None:
    """Nothing is copied where the file system can give a file a second name."""
    for name, source in _files(path):
        target = folder / name
        if target.exists() and target.stat().st_size == source.stat().st_size:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        try:
            os.link(source, target)
        except OSError:
            shutil.copy2(source, target)


def _is_there(client: MlflowClient, run_id: str, path: Path, folder: str) -> bool:
    """Whether all files arrived before, as far as their sizes tell."""
    wanted = {f"{folder}/{name}".lstrip("/"): source.stat().st_size for name, source in _files(path)}
    folders = {name.rpartition("/")[0] for name in wanted}
    found = {file.path: file.file_size for one in folders for file in client.list_artifacts(run_id, one or None)}
    return all(found.get(name) == size for name, size in wanted.items())


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Below a folder, or the file itself: name as an artifact, file."""
    if path.is_file():
        yield path.name, path
        return
    for source in sorted(path.rglob("*")):
        if source.is_file():
            yield source.relative_to(path).as_posix(), source
