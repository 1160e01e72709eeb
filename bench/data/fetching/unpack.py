"""Archives into folders, and nothing outside of them: no climbing paths, no links, no devices, no bombs."""

import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

from bench.data.paths import inside
from bench.errors import UserError
from bench.progress import Task

MAX_EXPANSION = 200
MAX_MEMBERS = 5_000_000


class Member(NamedTuple):
    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip or a tar; raises UserError before writing anything if a member must not be unpacked."""
    try:
        with zipfile.ZipFile(archive) if zipfile.is_zipfile(archive) else tarfile.open(archive) as opened:
            members = list(_checked(archive, folder, opened))
            with Task(f"unpacking {archive.name}", len(members), "files") as progress:
                for member in members:
                    _write(member, folder)
                    progress.advance()
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"damaged archive ({error})", where=str(archive), remedy="fetch it again") from error


def _checked(archive: Path, folder: Path, opened: zipfile.ZipFile | tarfile.TarFile) -> Iterator[Member]:
    total = 0
    for number, member in enumerate(_of_zip(opened) if isinstance(opened, zipfile.ZipFile) else _of_tar(opened)):
        total += member.size
        if inside(folder, member.name) is None:
            raise UserError(f"unsafe archive: {member.name!r} leads out of the folder", where=str(archive))
        if number >= MAX_MEMBERS or total > MAX_EXPANSION * archive.stat().st_size + 2**20:
            raise UserError("unsafe archive: it grows beyond all measure", where=str(archive))
        yield member


def _of_zip(opened: zipfile.ZipFile) -> Iterator[Member]:
    for info in opened.infolist():
        if (info.external_attr >> 16) & 0o170000 == 0o120000:
            raise UserError(f"unsafe archive: {info.filename!r} is a link", where=str(opened.filename))
        if not info.is_dir():
            yield Member(info.filename, info.file_size, partial(opened.open, info))


def _of_tar(opened: tarfile.TarFile) -> Iterator[Member]:
    for info in opened:
        if not info.isdir() and not info.isfile():
            raise UserError(f"unsafe archive: {info.name!r} is a link or a device", where=str(opened.name))
        if info.isfile():
            yield Member(info.name, info.size, partial(_of_tar_member, opened, info))


def _of_tar_member(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = opened.extractfile(info)
    assert content is not None, "a regular file has content"
    return content


def _write(member: Member, folder: Path) -> None:
    path = folder / member.name
    path.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as source, path.open("wb") as sink:
        shutil.copyfileobj(source, sink, 2**20)
