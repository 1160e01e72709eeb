"""Two rows of a study from the tracker, ready to be compared: their detections, judged on the same data."""

from bench.board.comparing.compare import Side, Versus, versus
from bench.board.load import recorded
from bench.data.store import Store
from bench.errors import UserError
from bench.score.evaluate import evaluate
from bench.score.tables.detections_file import read_parquet
from bench.track.record import RunRecord
from bench.track.tracker import Tracker

DETECTIONS = "detections.parquet"
PROTOCOL = "coco"
"""Where the record of a study does not say it."""

Pair = tuple[RunRecord, RunRecord]


def finished_pair(tracker: Tracker, study: str, profile: str | None, a: str, b: str) -> Pair:
    """Both rows under the first seed that both finished; without a profile, under the one that the study ran under."""
    profiles = sorted(found.profile for found in recorded(tracker, [study], profile))
    if len(profiles) > 1:
        raise UserError(
            f"{study!r} ran under several profiles", where="--profile", remedy=f"it is {' or '.join(profiles)}"
        )
    runs = [run for run in tracker.records(study, profiles[0]) if run.source == "measured" and run.status == "done"]
    seeds = [{run.seed for run in runs if run.row == name} for name in (a, b)]
    for name, found in zip((a, b), seeds, strict=True):
        if not found:
            rows = ", ".join(sorted({run.row for run in runs})) or "none"
            raise UserError(f"the row {name!r} of {study!r} has no finished run", remedy=f"finished rows: {rows}")
    common = sorted(seeds[0] & seeds[1], key=str)
    if not common:
        raise UserError(f"{a!r} and {b!r} share no seed", where=study, remedy="run both with the same --seeds")
    first, second = (next(run for run in runs if run.row == name and run.seed == common[0]) for name in (a, b))
    return first, second


def load_versus(tracker: Tracker, pair: Pair, store: Store) -> Versus:
    """`store` must be the data that both were judged on."""
    told = tracker.study(pair[0].study, pair[0].profile)
    protocol = told.params.get("protocol", PROTOCOL) if told else PROTOCOL
    first, second = (_side(tracker, run, store, protocol) for run in pair)
    return versus(first, second)


def _side(tracker: Tracker, run: RunRecord, store: Store, protocol: str) -> Side:
    made_on = run.tags.get("data_fingerprint", store.fingerprint)
    if made_on != store.fingerprint:
        what = f"{run.row!r} was judged on other data ({made_on[:12]}, not {store.fingerprint[:12]})"
        raise UserError(what, where=str(store.path), remedy="give the data of the study")
    path = tracker.fetch(run, DETECTIONS)
    if path is None:
        raise UserError(f"the run of {run.row!r} kept no {DETECTIONS}", remedy="run the row again")
    return Side(run.row, evaluate(read_parquet(path, len(store)), store, protocol))
