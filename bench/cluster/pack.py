"""What goes along with a job: the code of this checkout and the study file, and nothing else of this machine."""

import os
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.cluster.withheld import file_stays, folder_stays, secret_in
from bench.errors import UserError

CODE = ("bench", "detectors", "sweeps")
STUDIES = "studies"
LIMIT_BYTES = 32 * 2**20
LARGEST_NAMED = 3
MEGABYTE = 1e6
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The date of all files in a pack, so that the same content is the same pack, which is uploaded once."""


@dataclass
class Pack:
    """Files by their place in the pack; texts that are no file here; what stayed behind, and why."""

    files: dict[str, Path] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    withheld: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(file.stat().st_size for file in self.files.values())

    def describe(self) -> str:
        """One line of what goes along, and one of what might be missed."""
        if not self.files:
            return "nothing goes along: the cluster's own locbench runs"
        parts = Counter[str]()
        for place, file in self.files.items():
            parts[place.partition("/")[0]] += file.stat().st_size
        sizes = ", ".join(f"{name} {_megabytes(size)}" for name, size in sorted(parts.items()))
        lines = [f"packs {len(self.files)} files, {_megabytes(self.size)}: {sizes}"]
        if self.withheld:
            stays = ", ".join(f"{place} ({reason})" for place, reason in sorted(self.withheld.items()))
            lines.append(f"leaves here: {stays}")
        return "\n".join(lines)

    def check(self) -> None:
        """UserError if it is too large, or if a secret stands in a file."""
        if self.size > LIMIT_BYTES:
            largest = sorted(self.files, key=lambda place: -self.files[place].stat().st_size)[:LARGEST_NAMED]
            named = ", ".join(f"{place} {_megabytes(self.files[place].stat().st_size)}" for place in largest)
            raise UserError(
                f"{_megabytes(self.size)} would go along, {_megabytes(LIMIT_BYTES)} may; the largest files: {named}",
                where="submit",
                remedy="move what is no code out of the project: data belong on the storage of the cluster",
            )
        for place, content in self._contents():
            found = secret_in(content)
            if found:
                remedy = "take it out of the file: the job finds its secrets in the environment of the cluster"
                raise UserError(f"holds {found}", where=place, remedy=remedy)

    def write(self, archive: Path) -> None:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
            for place, content in self._contents():
                written.writestr(_entry(place), content)

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        yield from ((place, file.read_bytes()) for place, file in sorted(self.files.items()))
        yield from ((place, text.encode()) for place, text in sorted(self.texts.items()))


def checkout() -> Path | None:
    """The folder of this code where it is a checkout; None where it was installed, as it then is on the cluster."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else None


def collect(root: Path | None, study: Path | None, *, revision: str = "", changes: str = "") -> Pack:
    """The code below `root`, if there is one, with what git says of it, and a study that is not part of it."""
    pack = Pack()
    if root is not None:
        told = {"bench/REVISION": revision, "bench/changes.diff": changes}
        pack.texts.update({place: text for place, text in told.items() if text})
        for file in _code(root):
            place = file.relative_to(root).as_posix()
            reason = file_stays(file, root)
            if reason:
                pack.withheld[place] = reason
            else:
                pack.files[place] = file
    if study is not None:
        pack.files[f"{STUDIES}/{study.name}"] = study
    return pack


def _code(root: Path) -> Iterator[Path]:
    for name in CODE:
        for folder, below, files in os.walk(root / name):
            below[:] = sorted(inner for inner in below if not folder_stays(Path(folder, inner)))
            yield from (Path(folder, file) for file in sorted(files))


def _entry(place: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(place, LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _megabytes(size: float) -> str:
    return f"{size / MEGABYTE:.1f} MB"
