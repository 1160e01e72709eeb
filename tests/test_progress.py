"""Progress of long work: plain lines with a rate without a terminal, a bar with an end time on one."""

import io

import pytest

from bench import progress
from bench.progress import Task, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_come_now_and_then_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PLAIN_EVERY_SECONDS", 0.0)
    out = io.StringIO()
    with Task("reading", 3, "images", out) as task:
        for _ in range(3):
            task.advance()
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("reading: 1/3 images, ")
    assert lines[0].endswith(" s left")
    assert lines[-1].startswith("reading: 3/3 images, ")
    assert "done in" in lines[-1]


def test_interrupted_work_is_not_called_done() -> None:
    out = io.StringIO()

    def work() -> None:
        with Task("reading", 3, "images", out) as task:
            task.advance()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert "done" not in out.getvalue()


def test_a_terminal_gets_a_bar() -> None:
    out = Terminal()
    with Task("reading", 2, "images", out) as task:
        task.advance(2)
    assert "reading" in out.getvalue()
    assert "2/2" in out.getvalue()


def test_track_gives_every_item(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track("abc", "letters", 3)) == ["a", "b", "c"]
    assert "letters: 3/3" in capsys.readouterr().err
