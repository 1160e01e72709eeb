"""Downloads the archives of a data set: resumed where they broke off, checked, unpacked once."""

import hashlib
import shutil
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

from bench.data.fetching.official import ARCHIVES, Archive
from bench.data.fetching.unpack import unpack
from bench.data.files import locked, publish, write_atomically
from bench.errors import UserError
from bench.progress import Task

BLOCK = 2**20
ATTEMPTS = 5
TIMEOUT_SECONDS = 30
PAUSE_SECONDS = 1.0


def fetch(name: str, folder: Path | str, *, mirror: str | None = None, pause: float = PAUSE_SECONDS) -> Path:
    """Brings an official data set into a folder and returns its root; what is there already is not fetched again."""
    if name not in ARCHIVES:
        raise UserError(f"no download is known for {name!r}", remedy=f"there are {', '.join(ARCHIVES)}")
    return fetch_archives(ARCHIVES[name], Path(folder).expanduser().resolve(), mirror, pause)


def fetch_archives(archives: tuple[Archive, ...], root: Path, mirror: str | None, pause: float) -> Path:
    """Each archive is downloaded, checked, unpacked into `root` and marked as done; then the archive is removed."""
    downloads = root / ".downloads"
    with locked(downloads / "lock"):
        for archive in archives:
            done = downloads / f"{archive.hash.replace(':', '-')}.done"
            if not done.exists():
                path = download(archive, downloads, mirror, pause)
                unpack(path, root)
                write_atomically(done, archive.path.encode())
                path.unlink()
    return root


def download(archive: Archive, folder: Path, mirror: str | None, pause: float) -> Path:
    """The whole archive, its hash checked. A part left by an earlier attempt is gone on with."""
    url = archive.url(mirror)
    path = folder / Path(archive.path).name
    partial = path.with_suffix(f"{path.suffix}.part")
    if not path.exists():
        _transfer(url, partial, pause)
        publish(partial, path)
    if file_hash(path, archive.hash) != archive.hash:
        path.unlink()
        raise UserError(
            "the download has another hash than the official file", where=url, remedy="try again, or another mirror"
        )
    return path


def file_hash(path: Path, like: str) -> str:
    """The hash of a file, with the algorithm of another hash."""
    algorithm = like.partition(":")[0]
    with path.open("rb") as handle:
        return f"{algorithm}:{hashlib.file_digest(handle, algorithm).hexdigest()}"


def _transfer(url: str, partial: Path, pause: float) -> None:
    """Tries until the server's whole file is there; every attempt that brings bytes counts as progress."""
    failures = 0
    while True:
        before = _size(partial)
        try:
            _receive(url, partial)
            return
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code != 429:
                raise UserError(
                    f"the server answers {error.code} ({error.reason})", where=url, remedy="check the address"
                ) from None
            reason = f"{error.code} {error.reason}"
        except (OSError, HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        failures = 0 if _size(partial) > before else failures + 1
        if failures >= ATTEMPTS:
            raise UserError(
                f"the download fails ({reason})", where=url, remedy="the same command goes on from what is there"
            )
        time.sleep(pause * failures)


def _receive(url: str, partial: Path) -> None:
    """One connection, from the first missing byte on. A stream that ends early raises an OSError."""
    start = _size(partial)
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and start and error.headers.get("Content-Range", "").endswith(f"/{start}"):
            return
        if error.code == 416:
            partial.unlink()
            raise ConnectionError("the part that is there is no part of the server's file") from None
        raise
    with answer:
        resumed = answer.status == 206
        total = _total(answer, start if resumed else 0)
        _check_space(partial, total - (start if resumed else 0))
        with partial.open("ab" if resumed else "wb") as sink, Task(Path(url).name, total >> 20, "MiB") as progress:
            while block := answer.read(BLOCK):
                sink.write(block)
                progress.advance((sink.tell() >> 20) - progress.done)
    if total and _size(partial) < total:
        raise ConnectionError(f"the connection broke at {_size(partial)} of {total} bytes")


def _total(answer: Any, start: int) -> int:
    length = answer.headers.get("Content-Length")
    return start + int(length) if length and length.isdigit() else 0


def _check_space(partial: Path, needed: int) -> None:
    free = shutil.disk_usage(partial.parent).free
    if needed > free:
        raise UserError(
            f"{needed >> 20} MiB are needed and {free >> 20} MiB are free",
            where=str(partial.parent),
            remedy="make room",
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
