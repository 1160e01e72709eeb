"""Searches that look at trials while they train: who is stopped, who is copied, and that pausing changes no weights."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bench import api
from bench.config.tree import from_tree
from bench.study.search.settings import Search
from bench.study.search.trial import UNDER_WAY, Told, Trial
from bench.track.tracker import Tracker
from bench.train.weights.saved import read_weights

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


def play_asha(worth: Any, first: Callable[[list[int]], int] = min, **settings: Any) -> list[Told]:
    """All that asha proposes when trials end one at a time, each time that of those under way which `first` says."""
    settings = {"method": "asha", "trials": 18, "rungs": 3, "keep": 3, "at_once": 4} | settings
    searcher = from_tree(Search, {"row": "a", "space": RANGE, **settings}).searcher()
    told = list[Told]()
    while True:
        told += [(trial, UNDER_WAY) for trial in searcher.next(told)]
        under_way = [i for i, (_, result) in enumerate(told) if result is UNDER_WAY]
        assert len(under_way) <= settings["at_once"]
        if not under_way:
            return told
        i = first(under_way)
        told[i] = told[i][0], worth(told[i][0])


def rung_sizes(told: list[Told]) -> list[int]:
    return [sum(trial.until == until for trial, _ in told) for until in (1 / 9, 1 / 3, 1.0)]


def test_asha_promotes_before_all_of_a_rung_have_ended() -> None:
    told = play_asha(nearer_to_a_tenth)
    assert rung_sizes(told)[0] == 18
    assert told[6][0].until == 1 / 3, "three of six have ended: the best of them takes the place of the third"
    assert told[6][0].after == max(range(3), key=lambda i: told[i][1]["AP"])  # type: ignore[index]
    first_whole = next(i for i, (trial, _) in enumerate(told) if trial.until == 1)
    assert any(trial.after is None for trial, _ in told[first_whole:]), "one is trained to the end before all are drawn"


@pytest.mark.parametrize("seed", range(20))
def test_asha_promotes_each_trial_once_and_a_third_of_each_rung_or_a_few_more(seed: int) -> None:
    told = play_asha(nearer_to_a_tenth, first=Random(seed).choice, seed=seed)
    sources = [trial.after for trial, _ in told if trial.after is not None]
    assert len(set(sources)) == len(sources)
    start, middle, whole = rung_sizes(told)
    assert start == 18
    assert 18 // 3 <= middle < 18
    assert middle // 3 <= whole < middle
    for trial, _ in told:
        if trial.after is not None:
            source = told[trial.after][0]
            assert source.values == trial.values
            assert source.until == pytest.approx(trial.until / 3)


def test_asha_draws_anew_only_when_nobody_may_go_on() -> None:
    told = play_asha(nearer_to_a_tenth, at_once=1)
    drawn = [i for i, (trial, _) in enumerate(told) if trial.after is None]
    assert drawn[:4] == [0, 1, 2, 4], "after three of them the best goes on"


def test_asha_never_takes_a_failed_trial_further() -> None:
    def half_fail(trial: Trial) -> dict[str, float] | None:
        return None if trial.values["x"] < 0.1 else {"AP": trial.values["x"]}

    told = play_asha(half_fail)
    assert any(result is None for _, result in told)
    assert all(told[trial.after][1] is not None for trial, _ in told if trial.after is not None)
    told = play_asha(lambda trial: None)
    assert rung_sizes(told) == [18, 0, 0]


@pytest.mark.parametrize("trials", [2, 3, 5])
def test_asha_of_few_trials_still_trains_the_best_to_the_end(trials: int) -> None:
    told = play_asha(nearer_to_a_tenth, trials=trials, rungs=3, keep=4)
    whole = [trial for trial, _ in told if trial.until == 1]
    starts = [(trial, result) for trial, result in told if trial.after is None]
    assert len(starts) == trials
    assert [trial.values for trial in whole] == [max(starts, key=lambda one: one[1]["AP"])[0].values]  # type: ignore[index]


def test_asha_decides_the_same_after_the_same_ends() -> None:
    assert play_asha(nearer_to_a_tenth, first=Random(1).choice) == play_asha(nearer_to_a_tenth, first=Random(1).choice)
    assert play_asha(nearer_to_a_tenth, first=Random(1).choice) != play_asha(nearer_to_a_tenth, first=max)


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
@pytest.mark.parametrize("method", ["halving", "asha"])
def test_a_trial_that_goes_on_ends_as_if_it_had_not_paused(tmp_path: Path, method: str) -> None:
    file, storage = tmp_path / "rate.yaml", tmp_path / "runs"
    file.write_text(STUDY.replace("METHOD", method))
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
