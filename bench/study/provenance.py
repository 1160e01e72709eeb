"""How a number was made: git state, versions, hardware."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("locbench", "torch", "torchvision", "ray", "mlflow", "faster-coco-eval", "pycocotools", "numpy")


@cache
def provenance() -> dict[str, str]:
    """Flat tags for every run."""
    return {
        "git_revision": git_revision(),
        "hardware": hardware(),
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
    }


def git_revision() -> str:
    """The commit that the code stands at, with `+dirty` where it was changed since."""
    folder = Path(__file__).resolve().parent
    revision = _git(folder, "rev-parse", "--short=12", "HEAD")
    if not revision:
        return "none"
    return revision + ("+dirty" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


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
