"""The live table of a run: redrawn in place on a terminal, plain lines on changes elsewhere."""

import sys
import time
from collections.abc import Collection
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

from bench.study.running.state import CellState

PLAIN_EVERY_SECONDS = 15.0
COLOURS = {
    "done": "green",
    "failed": "red",
    "interrupted": "yellow",
    "stopped": "blue",
    "skipped": "yellow",
    "waiting": "dim",
}


class LiveTable:
    """Shows the states of all cells, which may become more, until `close`; the end is a guess from the work so far."""

    def __init__(self, title: str, states: Collection[CellState], stream: TextIO | None = None) -> None:
        self.title, self.states = title, states
        self.stream = stream or sys.stderr
        self._started = self._printed = time.monotonic()
        self._at_start = self._work()
        self._first_step: float | None = None
        self._said: dict[str, str] = {}
        self._live: Live | None = None
        if self.stream.isatty():
            self._live = Live(self._table(), console=Console(file=self.stream), refresh_per_second=4)
            self._live.start()

    def refresh(self) -> None:
        if self._first_step is None and any(state.status == "training" for state in self.states):
            self._first_step = time.monotonic() - self._started
        if self._live is not None:
            self._live.update(self._table())
            return
        now = time.monotonic()
        timed = now - self._printed >= PLAIN_EVERY_SECONDS
        for state in self.states:
            if state.status != self._said.get(state.title) or (timed and state.status == "training"):
                self._said[state.title] = state.status
                self._printed = now
                print(f"{state.title}: {_words(state)}; {self._end()}", file=self.stream, flush=True)

    def close(self) -> None:
        self.refresh()
        if self._live is not None:
            self._live.stop()

    def _table(self) -> Table:
        table = Table(title=self.title, caption=self._end(), title_justify="left", caption_justify="left")
        for name in ("row", "state", "progress", "AP", "AP75", "note"):
            table.add_column(name, justify="right" if name.startswith("AP") else "left", no_wrap=name != "note")
        for state in self.states:
            colour = COLOURS.get(state.status, "cyan")
            numbers = [_number(state.metrics.get(name)) for name in ("AP", "AP75")]
            table.add_row(state.title, f"[{colour}]{state.status}[/]", _bar(state.fraction), *numbers, _note(state))
        return table

    def _work(self) -> float:
        return sum(1.0 if state.finished else state.fraction for state in self.states)

    def _end(self) -> str:
        done = sum(state.finished for state in self.states)
        elapsed = time.monotonic() - self._started
        advanced = self._work() - self._at_start
        text = f"{done} of {len(self.states)} finished, {_clock(elapsed)} gone"
        if done < len(self.states) and advanced > 0.02:
            text += f", about {_clock(elapsed / advanced * (len(self.states) - self._work()))} left"
        elif done == len(self.states) and self._first_step is not None:
            text += f", the first training step after {_clock(self._first_step)}"
        return text


def _words(state: CellState) -> str:
    numbers = ", ".join(f"{name} {state.metrics[name]:.3f}" for name in ("AP", "AP75") if name in state.metrics)
    part = f" {state.fraction:.0%}" if state.status == "training" else ""
    return " ".join(filter(None, (state.status + part, numbers, _note(state))))


def _note(state: CellState) -> str:
    return state.reason or ("nothing to do: cached" if state.cached else state.note)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _bar(fraction: float, width: int = 20) -> str:
    filled = round(fraction * width)
    return "━" * filled + "[dim]" + "─" * (width - filled) + "[/]"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"
