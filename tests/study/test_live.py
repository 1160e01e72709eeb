"""The live table: what it says while cells move, with and without a terminal."""

import io

from bench.study.running.live import LiveTable
from bench.study.running.state import CellState, reason_of


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_each_change_is_one_line() -> None:
    states = [CellState("a · seed 0"), CellState("b · seed 0")]
    out = io.StringIO()
    live = LiveTable("study", states, out)
    live.refresh()
    live.refresh()
    states[0].status, states[0].fraction, states[0].note = "training", 0.5, "step 10"
    live.refresh()
    states[0].status, states[0].note, states[0].metrics = "done", "", {"AP": 0.4321, "AP75": 0.3}
    states[1].status, states[1].reason = "failed", "out of memory"
    live.close()
    lines = out.getvalue().splitlines()
    assert [line.partition(";")[0] for line in lines] == [
        "a · seed 0: waiting",
        "b · seed 0: waiting",
        "a · seed 0: training 50% step 10",
        "a · seed 0: done AP 0.432, AP75 0.300",
        "b · seed 0: failed out of memory",
    ]
    assert "2 of 2 finished" in lines[-1]
    assert "the first training step after 0:00 min" in lines[-1]


def test_on_a_terminal_the_table_holds_rows_progress_and_end() -> None:
    states = [CellState("a · seed 0"), CellState("b · seed 0", cached=True, status="done", metrics={"AP": 0.5})]
    out = Terminal()
    live = LiveTable("my study", states, out)
    states[0].status, states[0].fraction = "training", 0.6
    live.close()
    text = out.getvalue()
    for part in (
        "my study",
        "a · seed 0",
        "training",
        "━",
        "cached",
        "0.500",
        "1 of 2 finished",
        "left",
    ):
        assert part in text


def test_the_reason_of_an_error_is_its_last_line_without_wrapping() -> None:
    class Wrapper(Exception):
        cause = ValueError("first\n  the last line  \n\n")

    assert reason_of(Wrapper("noise")) == "ValueError: the last line"
    assert reason_of(RuntimeError()) == "RuntimeError: no message"
    assert len(reason_of(RuntimeError("x" * 9000))) == 500
