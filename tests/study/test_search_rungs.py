"""Searches that look at trials while they train: who is stopped, who is copied, and that pausing changes no weights."""

from pathlib import Path
from typing import Any

import pytest

from bench import api
from bench.config.tree import from_tree
from bench.study.search.settings import Search
from bench.study.search.trial import Told
from bench.track.tracker import Tracker
from bench.train.weights import read_weights

RANGE = {"x": {"low": 0.01, "high": 1.0, "log": True}}


def play(worth: Any, **settings: Any) -> list[Told]:
    """All that a search proposes, with what `worth` says of (x, until)."""
    search = from_tree(Search, {"row": "a", "space": RANGE, **settings})
    searcher, told = search.searcher(), list[Told]()
    while new := searcher.next(told):
        told += [(trial, worth(trial)) for trial in new]
    return told


def nearer_to_a_tenth(trial: Any) -> dict[str, float]:
    return {"AP": trial.until - abs(trial.values["x"] - 0.1)}


def test_halving_lets_the_best_third_of_each_rung_go_on() -> None:
    told = play(nearer_to_a_tenth, method="halving", trials=18, rungs=3, keep=3)
    rungs = {until: [i for i, (trial, _) in enumerate(told) if trial.until == until] for until in (1 / 9, 1 / 3, 1.0)}
    assert [len(rung) for rung in rungs.values()] == [18, 6, 2]
    for before, after in ((1 / 9, 1 / 3), (1 / 3, 1.0)):
        by_worth = sorted(rungs[before], key=lambda i: -told[i][1]["AP"])  # type: ignore[index]
        assert sorted(told[i][0].after for i in rungs[after]) == sorted(by_worth[: len(rungs[after])])  # type: ignore[type-var]
        for i in rungs[after]:
            assert told[i][0].values == told[told[i][0].after][0].values  # type: ignore[index]


def test_halving_never_takes_a_failed_trial_further() -> None:
    told = play(lambda trial: {"AP": 1.0} if trial.values["x"] > 0.9 else None, method="halving", trials=9, seed=3)
    assert {trial.until for trial, _ in told} == {1 / 9}, "none of these draws is above 0.9"


def test_the_worst_members_of_a_population_go_on_from_the_best() -> None:
    told = play(nearer_to_a_tenth, method="population", trials=8, rungs=4)
    assert len(told) == 8 * 4
    for rung in range(1, 4):
        before, after = told[8 * (rung - 1) : 8 * rung], told[8 * rung : 8 * (rung + 1)]
        by_worth = sorted(range(8), key=lambda i: -before[i][1]["AP"])  # type: ignore[index]
        for i, (trial, _) in enumerate(after):
            source = trial.after - 8 * (rung - 1)  # type: ignore[operator]
            assert trial.name == before[i][0].name
            if i in by_worth[-2:]:
                assert source in by_worth[:2]
                assert trial.values != before[i][0].values
            else:
                assert (source, trial.values) == (i, before[i][0].values)
            assert 0.01 <= trial.values["x"] <= 1
    first, last = (max(metrics["AP"] for _, metrics in part) for part in (told[:8], told[-8:]))  # type: ignore[index]
    assert last - first >= 0.74, "three quarters of the training more, and hardly worse"
    assert told == play(nearer_to_a_tenth, method="population", trials=8, rungs=4), "it can be resumed"


STUDY = """title: which rate?
data: {kind: synthetic, preset: tiny, size: 64, train: 16, val: 8}
variant: retinanet_tiny
input: {mode: as_is, flip: 0.5}
train: {epochs: 2, batch_size: 4, warmup_iterations: 2}
rows: {base: {}}
search: {row: base, method: METHOD, trials: 3, rungs: 2, space: {train.lr: {low: 0.001, high: 0.03, log: true}}}
"""


def steps(storage: Path, kind: str) -> set[str]:
    return {path.parent.name for path in (storage / "steps").glob(f"{kind}-*/result.json")}


@pytest.mark.timeout(300)
def test_a_trial_that_goes_on_ends_as_if_it_had_not_paused(tmp_path: Path) -> None:
    file, storage = tmp_path / "rate.yaml", tmp_path / "runs"
    file.write_text(STUDY.replace("METHOD", "halving"))
    api.run(file, storage=storage).raise_if_failed()
    with Tracker(None, storage) as tracker:
        records = {record.row: record for record in tracker.records("rate", "full")}
    ends = {name: (record.status, record.reason) for name, record in records.items()}
    (best,) = (name for name, (status, _) in ends.items() if status == "done" and name != "base")
    stopped = [end for name, end in ends.items() if name not in ("base", best)]
    assert [status for status, _ in stopped] == ["stopped"] * 2
    assert all(reason.startswith("after 33% of its training, AP ") for _, reason in stopped)
    assert len(steps(storage, "train")) == 1 + 3 + 1

    rate = records[best].params["train.lr"]
    unbroken = tmp_path / "unbroken.yaml"
    unbroken.write_text(
        STUDY[: STUDY.index("search")].replace("METHOD", "").replace("{base: {}}", f"{{it: {{train.lr: {rate}}}}}")
    )
    api.run(unbroken, storage=tmp_path / "other").raise_if_failed()
    (step,) = steps(tmp_path / "other", "train")
    assert step in steps(storage, "train"), "going on is the same work as doing all of it"
    weights = [read_weights(folder / "steps" / step / "weights.pt").state for folder in (storage, tmp_path / "other")]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[1])

    before = {path: path.stat().st_mtime_ns for path in (storage / "steps").glob("*/result.json")}
    api.run(file, storage=storage).raise_if_failed()
    assert {path: path.stat().st_mtime_ns for path in (storage / "steps").glob("*/result.json")} == before
    with Tracker(None, storage) as tracker:
        assert {record.row: (record.status, record.reason) for record in tracker.records("rate", "full")} == ends


@pytest.mark.timeout(300)
def test_members_of_a_population_are_rows_that_end_with_the_whole_training(tmp_path: Path) -> None:
    file, storage = tmp_path / "rate.yaml", tmp_path / "runs"
    file.write_text(STUDY.replace("METHOD", "population"))
    result = api.run(file, storage=storage)
    result.raise_if_failed()
    assert "base member 3" in result.text()
    with Tracker(None, storage) as tracker:
        records = {record.row: record for record in tracker.records("rate", "full")}
    assert set(records) == {"base", "base member 1", "base member 2", "base member 3"}
    assert {record.status for record in records.values()} == {"done"}
    assert len(steps(storage, "train")) == 1 + 3 + 3
