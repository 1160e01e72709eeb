"""What a run shows at its end: the leaderboard, as text and as a page.

A finished study shows what it showed before, as long as neither it nor its record has changed: without MLflow, which
takes longer to load than all the rest.
"""

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.config.digest import digest
from bench.study.definition.spec import Study
from bench.study.running.state import CellState
from bench.study.steps.graph import Cell
from bench.study.steps.provenance import provenance
from bench.study.steps.result import read_json, write_json
from bench.track.reaching.address import database_file, database_uri


@dataclass(frozen=True)
class Shown:
    """`page` is None where the record could not be read."""

    text: str
    page: Path | None


class Showing:
    """The end of runs of one study, below one storage."""

    def __init__(self, study: Study, root: Path, tracking: str | None) -> None:
        self._study, self._root, self._tracking = study, root, tracking
        self._page = root / "boards" / f"{study.name}.html"
        self._note = self._page.with_suffix(".json")

    @property
    def record_is_as_it_was(self) -> bool:
        """Since something was shown last: else there is no need to ask what."""
        return bool(self._record()) and read_json(self._note).get("record") == self._record()

    def again(self, plan: Sequence[Cell]) -> Shown | None:
        """What was shown last of the same study with the same results, on a terminal of the same width."""
        kept = read_json(self._note)
        same = self.record_is_as_it_was and kept["study"] == self._identity(plan)
        return Shown(kept["text"], self._page) if same else None

    def anew(self, plan: Sequence[Cell], states: Iterable[CellState]) -> Shown:
        """From the record, which keeps the page, too; without one that answers, how each row and seed ended."""
        from bench.track.tracker import ServerAway

        try:
            text = self._from_record()
        except ServerAway as away:
            return Shown("\n".join([*map(_ending, states), f"no leaderboard: {away}"]), None)
        write_json(self._note, {"record": self._record(), "study": self._identity(plan), "text": text})
        return Shown(text, self._page)

    def _from_record(self) -> str:
        from bench.board.forms.page import write_page
        from bench.board.forms.render import render
        from bench.board.load import load_board
        from bench.track.names import key_of
        from bench.track.tracker import Tracker

        name, profile = self._study.name, self._study.profile
        with Tracker(self._tracking, self._root) as tracker:
            board = load_board(tracker, [name], profile)
            tracker.artifact(key_of("study", name, profile), write_page(board, self._page))
        return render(board)

    def _record(self) -> list[list[int]]:
        """The state of its files; empty where a server may have changed it, or something waits to be told."""
        files = (database_file(self._tracking or database_uri(self._root)), self._page)
        if any((self._root / "journal").glob("*.jsonl")) or not all(file and file.is_file() for file in files):
            return []
        found = [file.stat() for file in files if file]
        return [[state.st_ino, state.st_size, state.st_mtime_ns] for state in found]

    def _identity(self, plan: Sequence[Cell]) -> str:
        """Of all that is shown, and of the code that shows it."""
        terminal = [shutil.get_terminal_size((0, 0)).columns, sys.stdout.isatty()]
        words = repr(replace(self._study, searching=None))
        return digest(words, [cell.score.name for cell in plan], provenance(), terminal)


def _ending(state: CellState) -> str:
    return f"{state.title}: {state.reason or state.status + _score(state.metrics)}"


def _score(metrics: Mapping[str, float]) -> str:
    return f", AP {100 * metrics['AP']:.1f}" if "AP" in metrics else ""
