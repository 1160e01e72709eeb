"""A board straight from the records: curves, pictures, claims, and studies that are not there."""

import json
from pathlib import Path

import pytest
from PIL import Image

from bench.board.load import load_board
from bench.errors import UserError
from bench.track.tracker import Tracker


def test_what_runs_keep_reaches_the_board(tracker: Tracker, tmp_path: Path) -> None:
    tracker.start_study("kept", "p", "About it", {"baseline": "a", "rows": ["a", "broken"]})
    (tmp_path / "gallery").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "gallery" / "worst_images.png")
    (tmp_path / "gallery" / "worst_images.json").write_text("[]")
    for row, scores in (("a", json.dumps({"schema": 1, "errors": {"Cls": 0.1}})), ("broken", '{"schema": 1, "err')):
        run = tracker.start_row("kept", row, 0, {}, {}, profile="p")
        (tmp_path / "scores.json").write_text(scores)
        tracker.artifact(run, tmp_path / "scores.json")
        tracker.artifact(run, tmp_path / "gallery")
        tracker.finish(run, "done", metrics={"AP": 0.5})
    tracker.judge("kept", "p", [{"text": "AP[a] > 0", "verdict": "holds"}])
    board = load_board(tracker, ["kept"])
    rows = {row.name: row for row in board.rows}
    assert rows["a"].curves == {"errors": {"Cls": 0.1}}
    assert rows["broken"].curves == {}
    assert [picture.words for picture in rows["a"].pictures] == ["worst images"]
    assert board.claims[0].verdict == "holds"
    assert board.description == "About it"


def test_a_study_that_was_never_run(tracker: Tracker) -> None:
    tracker.start_study("known", "p", "", {})
    with pytest.raises(UserError, match=r"no runs of the study 'unknown' were recorded; recorded studies: .*known"):
        load_board(tracker, ["unknown"])
    with pytest.raises(UserError, match=r"no runs of the study 'known' under 'mini' were recorded; it ran under p"):
        load_board(tracker, ["known"], "mini")
    assert load_board(tracker, ["known"]).rows == ()
