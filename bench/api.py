"""The Python API; the command line is a thin layer over it."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.config.overrides import Setting, settings_from_command_line
from bench.config.yaml_file import read_value
from bench.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from bench.data.store import Store
    from bench.score.rescore import Rescored
    from bench.score.scores import Scores
    from bench.study.definition.spec import Study
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
    workers: int | None = None,
    least_workers: int | None = None,
    gpus_per_worker: float | None = None,
    storage: Path | str = RUNS,
    tracking: str | None = None,
    remote: str | None = None,
    dry_run: bool = False,
) -> RunResult:
    """Runs what is missing of a study and gives its leaderboard; failed rows are rows, not exceptions."""
    from bench.study.definition.find import find_study
    from bench.study.definition.spec import load_study
    from bench.study.definition.study_file import Resources
    from bench.study.dry_run import dry_run as what_would_run
    from bench.study.run import run_study
    from bench.study.running.resources import Spread

    storage = Path(storage)
    found = load_study(find_study(str(study)), profile=profile, rows=rows, seeds=seeds, overrides=_settings(settings))
    if dry_run:
        return RunResult(what_would_run(found, storage))
    spread = Spread(Resources(workers=workers, least_workers=least_workers, gpus_per_worker=gpus_per_worker))
    finished = run_study(found, storage=storage, tracking=tracking, spread=spread, address=address, remote=remote)
    page = finished.shown.page
    lines = [finished.shown.text, *_spread_note(found, workers), *([f"page: {page}"] if page else [])]
    return RunResult("\n".join(lines), finished, page)


def _spread_note(study: "Study", asked: int | None) -> list[str]:
    """What another number of workers would change."""
    most = asked or max((row.resources.workers or 1 for row in study.rows), default=1)
    if most == 1:
        return []
    return [
        f"Trained by {most} workers: steps equal those of one worker but for rounding (weights after 3 steps within "
        "1e-4 one-stage, 5e-3 two-stage); whole trainings differ as two seeds do."
    ]


def prepare(
    source: str | Path,
    out: str | Path,
    *,
    format: str | None = None,
    split: str | None = None,
    on_error: str = "skip",
    download: bool = False,
    mirror: str | None = None,
    processes: int | None = None,
    address: str | None = None,
) -> "dict[str, Store]":
    """Converts a data set into one store a split inside `out`; with `download` fetches an official one first."""
    from bench.data.converting.prepare import prepare as prepare_one
    from bench.data.converting.recognise import recognise
    from bench.data.fetching.fetch import fetch
    from bench.train.distributed.ray_session import ray_session

    if on_error not in ("skip", "fail"):
        raise UserError(f"cannot be {on_error!r}", where="--on-error", remedy="it is skip or fail")
    folder = fetch(str(source), Path(out) / "source", mirror=mirror) if download else Path(source)
    config = recognise(folder, format)
    splits = [split] if split else config.splits()
    options: dict[str, Any] = {"on_error": on_error, "workers": processes, "on_ray": address is not None}
    with ray_session(address) if address is not None else nullcontext():
        return {name: prepare_one(config, Path(out) / name, split=name, **options) for name in splits}


def evaluate(detections: str | Path, data: str | Path, protocol: str = "coco") -> "Scores":
    """Scores detections of any model (Parquet or COCO results JSON) against a data store or COCO annotations."""
    from bench.score.evaluate import evaluate_file

    return evaluate_file(Path(detections), Path(data), protocol)


def rescore(
    raw: str | Path,
    data: str | Path,
    *,
    post: str | Path | Mapping[str, Any] | None = None,
    sweep: Mapping[str, Sequence[Any]] | Iterable[str] = (),
    protocol: str = "coco",
    processes: int | None = None,
) -> "list[Rescored]":
    """Applies a `post`, or many settings of it, to stored raw predictions; by default the variant's own."""
    from bench.config.yaml_file import read_yaml
    from bench.score.evaluate import load_truth
    from bench.score.rescore import rescore as rescore_file
    from bench.score.tables.raw_file import RawFile

    file = RawFile(Path(raw))
    chosen = file.header.variant.get("post") if post is None else post
    if isinstance(chosen, (str, Path)):
        chosen = read_yaml(Path(chosen)).data
    if chosen is None:
        raise UserError("the file names no variant", where=str(raw), remedy="give --post")
    values = dict(sweep) if isinstance(sweep, Mapping) else dict(_swept(item) for item in sweep)
    return rescore_file(file, chosen, values, truth=load_truth(Path(data)), protocol=protocol, workers=processes)


def leaderboard(
    studies: str | Sequence[str], *, profile: str | None = None, storage: Path | str = RUNS, tracking: str | None = None
) -> "pd.DataFrame":
    """The leaderboard as a pandas frame."""
    from bench.board.forms.frame import to_frame

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
    from bench.board.forms.render import render

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
    from bench.board.forms.page import write_page

    return write_page(_board(studies, profile, storage, tracking), Path(file))


def compare_rows(
    study: str,
    a: str,
    b: str,
    file: Path | str,
    *,
    profile: str | None = None,
    storage: Path | str = RUNS,
    tracking: str | None = None,
) -> Path:
    """Two rows of a study image by image, on one page: where they differ most, drawn side by side."""
    from bench.board.comparing.load import finished_pair, load_versus
    from bench.board.comparing.page import write_compare_page
    from bench.study.steps.datasets import find_store
    from bench.track.tracker import Tracker

    root = Path(storage).resolve()
    with Tracker(tracking, root) as tracker:
        pair = finished_pair(tracker, study, profile, a, b)
        store = find_store(root, {pair[0].tags.get("data_fingerprint", "")})
        return write_compare_page(load_versus(tracker, pair, store), store, Path(file))


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


def _swept(item: str) -> tuple[str, list[Any]]:
    key, equals, values = item.partition("=")
    if not equals or not key.strip() or not values:
        raise UserError(
            f"{item!r} is not key=v1,v2,…", where="--sweep", remedy="such as suppress.iou_threshold=0.4,0.5"
        )
    return key.strip(), [read_value(value) for value in values.split(",")]
