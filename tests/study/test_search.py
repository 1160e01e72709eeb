"""Searches: what is proposed, and that post settings are tried on one training."""

import json
from pathlib import Path

import pytest

from bench import api
from bench.config.tree import ConfigError, from_tree
from bench.study.definition.spec import load_study
from bench.study.search.settings import Search
from bench.study.search.trial import Told, label

SIGMAS = [0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.05, 0.1, 0.5, 1.0]
STUDY = f"""title: how wide should the vote be?
data: {{kind: synthetic, preset: tiny, size: 64, train: 16, val: 8}}
variant: paa_tiny
input: {{mode: as_is}}
train: {{epochs: 1, batch_size: 4, lr: 0.01}}
rows: {{paa: {{}}}}
search: {{row: paa, space: {{detector.post.vote.sigma: {SIGMAS}}}}}
"""


def propose(**settings: object) -> list[dict[str, object]]:
    """All proposals of a search for the least distance of x from 0.3."""
    search = from_tree(Search, {"row": "a", "goal": {"distance": "min"}, **settings})
    searcher, told = search.searcher(), list[Told]()
    while new := searcher.next(told):
        told += [(trial, {"distance": abs(trial.values["x"] - 0.3)}) for trial in new]
    return [trial.values for trial, _ in told]


def test_a_grid_is_every_combination_once() -> None:
    found = propose(space={"x": [1, 2, 3], "y": ["a", "b"]})
    assert len(found) == 6
    assert {(values["x"], values["y"]) for values in found} == {(x, y) for x in (1, 2, 3) for y in "ab"}


def test_random_draws_stay_in_their_ranges_and_follow_the_seed() -> None:
    space = {"x": {"low": 1e-4, "high": 1.0, "log": True}, "n": {"low": 1, "high": 9, "whole": True}, "c": ["p", "q"]}
    found = propose(space=space, method="random", trials=200)
    assert len(found) == 200
    assert found == propose(space=space, method="random", trials=200)
    assert found != propose(space=space, method="random", trials=200, seed=1)
    assert all(1e-4 <= values["x"] <= 1 for values in found)  # type: ignore[operator]
    assert {values["n"] for values in found} == set(range(1, 10))
    below = sum(values["x"] < 1e-2 for values in found)  # type: ignore[operator]
    assert 70 < below < 130, "half of a logarithmic range lies below its middle"


def test_few_values_are_not_tried_twice() -> None:
    found = propose(space={"x": [0.1, 0.2], "c": ["p", "q"]}, method="random", trials=9)
    assert sorted((values["x"], values["c"]) for values in found) == [(x, c) for x in (0.1, 0.2) for c in "pq"]


def test_optuna_draws_near_to_the_goal_and_can_be_replayed() -> None:
    pytest.importorskip("optuna")
    settings = {"space": {"x": {"low": 0.0, "high": 1.0}}, "method": "optuna", "trials": 32}
    found = propose(**settings)
    assert len(found) == 32
    assert found == propose(**settings)
    late = [abs(values["x"] - 0.3) for values in found[-8:]]  # type: ignore[operator]
    assert sum(late) / len(late) < 0.15, "chance would be 0.29 away"


def test_optuna_goes_on_after_a_failed_trial() -> None:
    pytest.importorskip("optuna")
    search = from_tree(Search, {"row": "a", "space": {"x": {"low": 0, "high": 1}}, "method": "optuna", "trials": 6})
    first = search.searcher().next([])
    assert len(search.searcher().next([(trial, None) for trial in first])) == 2


@pytest.mark.parametrize(
    ("search", "what"),
    [
        ({"space": {}}, "search needs a space"),
        ({"space": {"x": {"low": 0, "high": 1}}}, "a grid needs a list of values for x"),
        ({"space": {"x": {"low": 2, "high": 1}}, "method": "random"}, "low: 2.0 should be below high: 1.0"),
        ({"space": {"x": {"lo": 0}}, "method": "random"}, "no setting 'lo'; did you mean 'low'"),
        ({"space": {"train.until": [0.5]}}, "is the search's to say"),
        (
            {"space": {"train.batch_size": [2, 4]}, "method": "population"},
            "cannot change train.batch_size in the middle",
        ),
        ({"space": {"x": [1, 2]}, "method": "halving", "rungs": 1}, "halving needs at least 2 trials and rungs"),
        ({"space": {"x": [1, 2]}, "method": "asha", "keep": 1}, "asha needs at least 2 trials and rungs"),
        ({"space": {"x": [1]}, "method": "population", "goal": {"AP": "max", "x": "min"}}, "looks at one metric"),
        ({"space": {"x": 3}}, "x should be a list of values or {low, high}, not 3"),
    ],
)
def test_a_wrong_search_says_what_is_wrong(search: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigError) as error:
        from_tree(Search, {"row": "a", **search})
    assert what in str(error.value)


def test_labels_are_as_short_as_they_can_be() -> None:
    assert label({"detector.post.vote.sigma": 0.0025, "train.lr": 0.02}) == "sigma=0.0025, lr=0.02"
    assert label({"a.weight": 1, "b.weight": 2.0}) == "a.weight=1, b.weight=2"


@pytest.mark.parametrize("sigmas", [[0.0025, 0.025], pytest.param(SIGMAS, marks=pytest.mark.slow)], ids=len)
def test_sigmas_are_scored_from_one_training(tmp_path: Path, sigmas: list[float]) -> None:
    file = tmp_path / "vote.yaml"
    file.write_text(STUDY.replace(str(SIGMAS), str(sigmas)))
    result = api.run(file, storage=tmp_path / "runs")
    result.raise_if_failed()
    steps = [path.parent.name.partition("-")[0] for path in (tmp_path / "runs" / "steps").glob("*/result.json")]
    assert steps.count("train") == steps.count("predict") == 1
    assert steps.count("score") == len(sigmas), "the row's own sigma is among them"
    frame = api.leaderboard("vote", storage=tmp_path / "runs")
    rows = set(frame.index.get_level_values("row"))
    assert rows == {"paa", *(f"paa sigma={sigma:.4g}" for sigma in sigmas)}
    space = {"detector.post.suppress.iou_threshold": {"low": 0.3, "high": 0.8}}
    search = {"row": "paa", "method": "optuna", "trials": 3, "at_once": 2, "space": space}
    file.write_text(STUDY[: STUDY.index("search")] + f"search: {json.dumps(search)}\n")
    api.run(file, storage=tmp_path / "runs").raise_if_failed()
    steps = [path.parent.name.partition("-")[0] for path in (tmp_path / "runs" / "steps").glob("*/result.json")]
    assert (steps.count("train"), steps.count("score")) == (1, len(sigmas) + 3)


def test_a_search_of_a_row_that_is_left_out_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "vote.yaml"
    file.write_text(STUDY.replace("{paa: {}}", "{paa: {}, other: {}}"))
    assert load_study(file).searching is not None
    assert load_study(file, rows=["other"]).searching is None
