"""The Python API; the command line is a thin layer over it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.config.overrides import Setting, settings_from_command_line

if TYPE_CHECKING:
    import pandas as pd

    from bench.study.run import Finished

RUNS = Path("runs")


@dataclass(frozen=True)
class RunResult:
    """What `run` gives: text for people, a frame for notebooks."""

    shown: str
    finished: "Finished | None" = None
    page: Path | None = None

    def text(self) -> str:
        return self.shown

    def __str__(self) -> str:
        return self.shown

    __repr__ = __str__

    def raise_if_failed(self) -> None:
        if self.finished is not None:
            self.finished.raise_if_failed()


def run(
    study: str | Path,
    *,
    profile: str = "full",
    rows: Sequence[str] = (),
    seeds: int | None = None,
    settings: Mapping[str, Any] | Iterable[str] = (),
    address: str | None = None,
    workers: int = 1,
    gpus_per_worker: float | None = None,
    storage: Path | str = RUNS,
    tracking: str | None = None,
    dry_run: bool = False,
) -> RunResult:
    """Runs what is missing of a study and gives its leaderboard; failed rows are rows, not exceptions."""
    from bench.study import run as runs
    from bench.study.find import find_study
    from bench.study.spec import load_study
    from bench.train.workers import Workers

    storage = Path(storage)
    found = load_study(find_study(str(study)), profile=profile, rows=rows, seeds=seeds, overrides=_settings(settings))
    if dry_run:
        return RunResult(runs.dry_run(found, storage))
    gpus = _gpus() if gpus_per_worker is None else gpus_per_worker
    spread = Workers(count=workers, gpus=gpus)
    finished = runs.run_study(found, storage=storage, tracking=tracking, workers=spread, address=address)
    page = storage.resolve() / "boards" / f"{found.name}.html"
    write_page([found.name], page, profile=profile, storage=storage, tracking=tracking)
    text = leaderboard_text([found.name], profile=profile, storage=storage, tracking=tracking)
    return RunResult(f"{text}\npage: {page}", finished, page)


def leaderboard(
    studies: str | Sequence[str], *, profile: str | None = None, storage: Path | str = RUNS, tracking: str | None = None
) -> "pd.DataFrame":
    """The leaderboard as a pandas frame."""
    from bench.board.frame import to_frame

    return to_frame(_board(studies, profile, storage, tracking))


def leaderboard_text(
    studies: str | Sequence[str],
    *,
    form: str = "terminal",
    profile: str | None = None,
    storage: Path | str = RUNS,
    tracking: str | None = None,
) -> str:
    """The leaderboard as terminal table, Markdown, CSV or LaTeX."""
    from bench.board.render import render

    return render(_board(studies, profile, storage, tracking), form)


def write_page(
    studies: str | Sequence[str],
    file: Path | str,
    *,
    profile: str | None = None,
    storage: Path | str = RUNS,
    tracking: str | None = None,
) -> Path:
    """The leaderboard as one self-contained page."""
    from bench.board.page import write_page

    return write_page(_board(studies, profile, storage, tracking), Path(file))


def _board(studies: str | Sequence[str], profile: str | None, storage: Path | str, tracking: str | None) -> Any:
    from bench.board.load import load_board
    from bench.track.tracker import Tracker

    names = [studies] if isinstance(studies, str) else list(studies)
    with Tracker(tracking, Path(storage)) as tracker:
        return load_board(tracker, names, profile)


def _settings(settings: Mapping[str, Any] | Iterable[str]) -> list[Setting]:
    if isinstance(settings, Mapping):
        return [Setting(tuple(key.split(".")), value, f"settings: {key}") for key, value in settings.items()]
    return settings_from_command_line(settings)


def _gpus() -> float:
    """One GPU a worker where there is any."""
    import torch

    return 1.0 if torch.cuda.is_available() else 0.0
