"""A board straight from the tracker: records, claims, curves and pictures of one or several studies."""

from collections.abc import Sequence
from pathlib import Path

from bench.board.board import Board, Picture
from bench.board.making.build import build
from bench.board.making.curves import FILE, read_curves
from bench.board.making.group import Extras
from bench.errors import UserError
from bench.track.record import RunRecord, StudyRecord
from bench.track.tracker import Tracker

PICTURES_A_RUN = 6
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def load_board(
    tracker: Tracker, names: Sequence[str] = (), profile: str | None = None, metric: str | None = None
) -> Board:
    """All studies, or those named, under every profile or one."""
    chosen = recorded(tracker, names, profile)
    wanted = dict.fromkeys(study.study for study in chosen)
    records = [record for name in wanted for record in tracker.records(name, profile)]
    return build(records, chosen, {record.run_id: _extras(tracker, record) for record in records}, metric)


def recorded(tracker: Tracker, names: Sequence[str] = (), profile: str | None = None) -> list[StudyRecord]:
    """Of all studies, or those named, under every profile or one; raises where there is no such study or profile."""
    known = tracker.studies()
    for name in names:
        profiles = [study.profile for study in known if study.study == name]
        if not profiles:
            studies = ", ".join(sorted({study.study for study in known})) or "none yet"
            raise UserError(f"no runs of the study {name!r} were recorded", remedy=f"recorded studies: {studies}")
        if profile is not None and profile not in profiles:
            ran = ", ".join(sorted(profiles))
            raise UserError(
                f"no runs of the study {name!r} under {profile!r} were recorded", remedy=f"it ran under {ran}"
            )
    return [study for study in known if (not names or study.study in names) and profile in (None, study.profile)]


def _extras(tracker: Tracker, record: RunRecord) -> Extras:
    if record.source != "measured" or record.status != "done":
        return Extras(url=tracker.url(record))
    scores = tracker.fetch(record, FILE)
    gallery = tracker.fetch(record, "gallery")
    return Extras(read_curves(scores) if scores else {}, _pictures(gallery) if gallery else (), tracker.url(record))


def _pictures(folder: Path) -> tuple[Picture, ...]:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_ENDINGS)
    return tuple(Picture(path, path.stem.replace("_", " ")) for path in files[:PICTURES_A_RUN])
