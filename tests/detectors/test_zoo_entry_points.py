"""Variants of other packages: found through their entry point, and never in place of one of ours."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from detectors import zoo

MODULE = '''
from detectors import zoo

def theirs():
    """A variant from elsewhere."""
    return zoo.config("retinanet_tiny")
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts a package on the path that offers its function as a variant of the given name."""

    def put(variant: str) -> None:
        metadata = tmp_path / "their_package-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[locbench.variants]\n{variant} = their_package:theirs\n")
        (tmp_path / "their_package.py").write_text(MODULE)
        monkeypatch.syspath_prepend(tmp_path)
        zoo._variants.cache_clear()

    yield put
    monkeypatch.undo()
    zoo._variants.cache_clear()


def test_is_found_by_name(install: Callable[[str], None]) -> None:
    assert "theirs" not in zoo.names()
    install("theirs")
    assert "theirs" in zoo.names()
    assert zoo.config("theirs") == zoo.config("retinanet_tiny")
    assert zoo.description("theirs") == "A variant from elsewhere."


def test_does_not_replace_one_of_ours(install: Callable[[str], None]) -> None:
    install("retinanet_tiny")
    with pytest.raises(ValueError, match="adds 'retinanet_tiny', a name that is taken"):
        zoo.names()
