"""A package from outside adds a loss and a variant, and both work in a study."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "docs" / "example_package"
STUDY = """title: a loss from another package
data: {kind: synthetic, preset: tiny, size: 64, train: 8, val: 4}
variant: faster_rcnn_tiny
input: {mode: as_is}
train: {epochs: 1, batch_size: 4}
rows:
  theirs: {variant: faster_rcnn_tiny_log_cosh, detector.stage.loc_loss.scale: 0.3}
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the package is installed."""
    folder = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "package"
    subprocess.run(["cp", "-r", PACKAGE, source], check=True)
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        folder,
        source,
    ]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    return os.environ | {"PYTHONPATH": str(folder)}


def locbench(environment: dict[str, str], folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=280)


def test_the_variant_is_listed_with_the_part(environment: dict[str, str], tmp_path: Path) -> None:
    done = locbench(environment, tmp_path, "variants", "faster_rcnn_tiny_log_cosh")
    assert done.returncode == 0, done.stderr
    assert "whose boxes are trained with the log-cosh loss" in done.stdout
    assert any(line.split()[:2] == ["loc_loss", "log_cosh"] for line in done.stdout.splitlines())


def test_they_run_in_a_study(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    done = locbench(environment, tmp_path, "run", "study.yaml")
    assert done.returncode == 0, done.stderr
    assert "theirs" in done.stdout


def test_without_the_package_the_name_is_unknown(tmp_path: Path) -> None:
    done = locbench(dict(os.environ), tmp_path, "variants", "faster_rcnn_tiny_log_cosh")
    assert done.returncode == 2
    assert "no variant is called 'faster_rcnn_tiny_log_cosh'" in done.stderr
