"""How a number was made: git state, versions, hardware. Each step leaves its own: it may run anywhere, at any time."""

import hashlib
import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

from bench.study.steps.result import read_json, write_json

PACKAGES = ("locbench", "torch", "torchvision", "ray", "mlflow", "faster-coco-eval", "pycocotools", "numpy")
MADE, ENVIRONMENT, CHANGES = "made.json", "environment.txt", "changes.diff"
MOST_CHANGES = 2**20


def leave_provenance(folder: Path) -> None:
    """Beside a step's results: the tags of its run, all packages, and what git has not seen of the code."""
    write_json(folder / MADE, provenance())
    (folder / ENVIRONMENT).write_text(environment())
    if changes():
        (folder / CHANGES).write_text(changes())


def left_provenance(folder: Path) -> dict[str, str]:
    """The tags that a step left; none if it is older than they are."""
    return read_json(folder / MADE)


@cache
def provenance() -> dict[str, str]:
    """Flat tags for every run."""
    return {
        "git_revision": git_revision(),
        "git_branch": git("rev-parse", "--abbrev-ref", "HEAD") or "none",
        "hardware": hardware(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
    }


@cache
def environment() -> str:
    """Every package that is installed, as pip writes them."""
    found = {f"{package.name}=={package.version}" for package in distributions() if package.name}
    return "\n".join(
        [f"# Python {platform.python_version()}, {platform.platform()}", *sorted(found, key=str.lower), ""]
    )


@cache
def changes() -> str:
    """The difference of the code to its commit; empty where there is none, or no git."""
    text = git("diff", "HEAD") or _packed(CHANGES)
    return text if len(text) <= MOST_CHANGES else text[:MOST_CHANGES] + "\n(cut short)"


def git_revision() -> str:
    """The commit that the code stands at, with `+dirty-<hash of the difference>` where it was changed since."""
    revision = git("rev-parse", "--short=12", "HEAD")
    if not revision:
        return _packed("REVISION") or "none"
    return revision + (f"+dirty-{hashlib.sha256(changes().encode()).hexdigest()[:8]}" if changes() else "")


def _packed(name: str) -> str:
    """What a job brought along, as there is no git where it runs."""
    file = Path(__file__).resolve().parents[2] / name
    return file.read_text() if file.is_file() else ""


def hardware() -> str:
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return f"{len(names)} x {names[0]}"
    return f"{os.cpu_count()} x {_processor()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def git(*arguments: str) -> str:
    """What git says of this code; nothing where it is installed, even if that is below someone else's repository."""
    own = Path(__file__).resolve()
    tracked = _git(own.parent, "ls-files", own.name)
    return _git(own.parent, *arguments) if tracked else ""


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
