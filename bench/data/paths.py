"""Where the files of a data set lie, and whether they are still the same."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")


def inside(root: Path, name: Any) -> Path | None:
    """The path of a file that annotations name, or None if the name leads out of the folder or is no name."""
    if not isinstance(name, str) or not name or "\0" in name:
        return None
    path = Path(os.path.normpath(root / name.replace("\\", "/")))
    return path if path.is_relative_to(root) and path != root else None


def files_key(paths: Iterable[Path]) -> str:
    """Changes when a file below these paths appears, vanishes, or changes its size or date. Memory stays flat."""
    total = count = 0
    for path in paths:
        for file in _walk(path):
            stat = file.stat()
            facts = f"{file.relative_to(path)}\0{stat.st_size}\0{stat.st_mtime_ns}"
            total += int.from_bytes(hashlib.blake2b(facts.encode("utf-8", "surrogateescape"), digest_size=16).digest())
            count += 1
    return f"{count}-{total % 2**128:032x}"


def _walk(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    return (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
