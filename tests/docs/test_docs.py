"""Every command and every Python block that README and docs show is run, in a folder of its own."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cli import DONE, run_app

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for i, match in enumerate(FENCE.finditer(page.read_text())):
            if match[1] == language and "--8<--" not in match[2]:
                yield f"{page.name}-{i}", match[2]


def commands() -> Iterator[tuple[str, list[str]]]:
    for name, block in blocks("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield f"{name}: {' '.join(words)}", words


# Commands that need more than a fresh folder, and the tests that run them.
ELSEWHERE = {"locbench variants faster_rcnn_tiny_log_cosh": "tests/cli/test_extension.py"}
COMMANDS = {shown: words for shown, words in commands() if " ".join(words) not in ELSEWHERE}


@pytest.mark.parametrize("shown", COMMANDS)
def test_shown_commands_work(shown: str, docs_folder: Path) -> None:
    words = COMMANDS[shown]
    if words[0] == "locbench":
        assert run_app(words[1:]) == DONE
    elif words[0] == "make":
        subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    else:
        # The environment that the tests run in is the one that these lines make.
        assert words[0] in ("source", "pip", "export", "cd")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_shown_python_works(page: Path, docs_folder: Path) -> None:
    """The blocks of a page follow on one another."""
    names: dict[str, object] = {"__name__": "docs"}
    for name, block in blocks("python"):
        if name.startswith(page.name):
            exec(compile(block, name, "exec"), names)


def test_commands_run_elsewhere_are_run_there() -> None:
    for command, file in ELSEWHERE.items():
        assert all(f'"{word}"' in (ROOT / file).read_text() for word in command.split()[1:])


def test_pages_are_linked_and_listed() -> None:
    listed = (ROOT / "mkdocs.yml").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f": {page.name}\n" in listed + "\n", f"{page.name} is not in mkdocs.yml"
