"""The journal loses nothing to a crash and never delivers half a line."""

from pathlib import Path

import pytest

from bench.track.sending.journal import Journal


def test_entries_wait_until_they_arrived(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.jsonl")
    for number in range(5):
        journal.append({"n": number})
    journal.arrived(2)
    journal.append({"n": 5})
    assert [entry["n"] for entry in journal.waiting()] == [2, 3, 4, 5]
    journal.arrived(4)
    assert journal.waiting() == []
    assert (tmp_path / "a.jsonl").stat().st_size == 0


def test_a_line_that_a_crash_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"n": 1}\n{"n": 2')
    assert Journal(path).waiting() == [{"n": 1}]


def test_only_the_journals_of_the_dead_are_adopted(tmp_path: Path) -> None:
    alive = Journal.of_this_process(tmp_path)
    alive.append({"n": 1})
    (tmp_path / "dead.jsonl").write_text('{"n": 2}\n')
    (adopted,) = Journal.left_behind(tmp_path)
    assert adopted.waiting() == [{"n": 2}]
    assert list(Journal.left_behind(tmp_path)) == []


def test_closing_keeps_the_file_while_something_waits(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.jsonl")
    journal.append({"n": 1})
    journal.close()
    again = Journal(tmp_path / "a.jsonl")
    again.arrived(1)
    again.close()
    assert not (tmp_path / "a.jsonl").exists()


def test_two_writers_of_one_file_are_refused(tmp_path: Path) -> None:
    first = Journal(tmp_path / "a.jsonl")
    with pytest.raises(BlockingIOError):
        Journal(tmp_path / "a.jsonl")
    first.close()
