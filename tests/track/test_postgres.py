"""One study told to sqlite, to PostgreSQL and to a server over PostgreSQL gives one and the same board."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from bench.board.forms.page_data import page_data
from bench.board.load import load_board
from bench.track.reaching import server
from bench.track.record import Published
from bench.track.tracker import Tracker
from tests.track.postgres import running_postgres

pytestmark = pytest.mark.slow


def tell(tracker: Tracker, artifact: Path) -> None:
    tracker.start_study("study", "smoke", "All about it", {"baseline": "a", "rows": ["a", "b", "c"], "metric": "AP"})
    tracker.publish(
        "study", [Published(row=row, metrics={"AP": ap}, paper="P") for row, ap in (("a", 0.3), ("b", 0.35))]
    )
    for row, base in (("a", 0.3), ("b", 0.4)):
        for seed in (0, 1):
            run = tracker.start_row("study", row, seed, {"lr": base}, {"data_fingerprint": "f"}, profile="smoke")
            for step in range(20):
                tracker.log(run, {"train/loss": 1 / (step + 1)}, step)
            tracker.artifact(run, artifact)
            tracker.finish(run, "done", metrics={"AP": base + seed / 100, "AP@[.5]": 0.5, "odd": float("nan")})
    tracker.finish(tracker.start_row("study", "c", 0, {}, {}, profile="smoke"), "failed", "out of memory")
    tracker.judge("study", "smoke", [{"text": "AP[b] > AP[a]", "verdict": "holds"}])


def shown(tracker: Tracker) -> dict[str, Any]:
    """All of the board but what names runs."""
    board = load_board(tracker, ["study"])
    data = page_data(board)
    for row in data["rows"]:
        row["runs"] = [[seed, status, reason] for seed, status, reason, *_ in row.get("runs", [])]
    return data | {"exact": [[asdict(estimate) for estimate in row.values.values()] for row in board.rows]}


def test_the_same_study_gives_the_same_board(tmp_path: Path, free_port: int) -> None:
    artifact = tmp_path / "scores.json"
    artifact.write_text('{"schema": 1, "errors": {"Cls": 0.1}}')
    with Tracker(None, tmp_path / "sqlite") as tracker:
        tell(tracker, artifact)
        expected = shown(tracker)
    with running_postgres(free_port) as uri, Tracker(uri, tmp_path / "postgres") as tracker:
        tell(tracker, artifact)
        assert shown(tracker) == expected
    with running_postgres(free_port + 1) as uri:
        Tracker(uri, tmp_path / "served").close()
        with (
            server.running(uri, tmp_path / "served", free_port + 2) as address,
            Tracker(address, tmp_path / "mine") as tracker,
        ):
            tell(tracker, artifact)
            assert shown(tracker) == expected
    assert expected["rows"][0]["curves"] == {"errors": {"Cls": 0.1}}
    assert [row["name"] for row in expected["rows"]] == ["b", "a", "c"]
