"""What MLflow holds of a study that was run: everything that a number needs to be believed, and no run left open."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from bench.errors import Interrupted
from bench.study.definition.spec import load_study
from bench.study.running.state import CellState
from bench.study.steps.datasets import prepared_data
from bench.study.steps.graph import cells
from bench.track.reading.artifacts import local_folder
from bench.track.tracker import Tracker
from tests.study.place import Place

FILES = {"config.yaml", "environment.txt", "detections.parquet", "scores.json", "raw", "plots", "gallery"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def tracker(place: Place) -> Iterator[Tracker]:
    with Tracker(None, place.cache.root) as opened:
        yield opened


@pytest.fixture(scope="module")
def runs(place: Place, tracker: Tracker) -> dict[str, Run]:
    with place.record(tracker) as recorder:
        for cell in place.plan:
            recorder.finished(cell, place.work(cell))
    return place.runs(tracker)


def test_every_run_is_closed_and_below_its_study(runs: dict[str, Run]) -> None:
    assert {name: run.info.status for name, run in runs.items()} == dict.fromkeys(
        (
            "mine · full",
            "base · seed 0",
            "strict · seed 0",
            "later · seed 0",
            "base · published",
            "theirs · published",
        ),
        "FINISHED",
    )
    study = runs["mine · full"].info.run_id
    assert {runs[f"{row} · seed 0"].data.tags["mlflow.parentRunId"] for row in ("base", "strict", "later")} == {study}
    later = runs["later · seed 0"].data.tags
    assert (later["status"], later["reason"]) == ("skipped", "the variant a_variant_of_tomorrow is yet to come")


def kept(run: Run, name: str) -> Path:
    folder = local_folder(run.info.artifact_uri)
    assert folder is not None
    return folder / name


def test_published_rows_say_where_they_are_printed(runs: dict[str, Run]) -> None:
    named = ("source", "paper", "table", "schedule", "footnote", "only_printed")
    tags = {row: runs[f"{row} · published"].data.tags for row in ("base", "theirs")}
    assert [tags["base"].get(name) for name in named] == ["published", "P", "T1", "1x", None, None]
    assert [tags["theirs"].get(name) for name in named] == ["published", "P", "T1", "1x", "with more data", "yes"]
    assert runs["theirs · published"].data.metrics == {"AP": 0.41}


@pytest.mark.parametrize("row", ["base", "strict"])
def test_a_run_holds_what_its_number_needs_to_be_believed(runs: dict[str, Run], tracker: Tracker, row: str) -> None:
    run = runs[f"{row} · seed 0"]
    tags, metrics = run.data.tags, run.data.metrics
    for name in ("git_revision", "hardware", "python", "platform", "versions", "data_fingerprint", "train_fingerprint"):
        assert len(tags[name]) > 3, name
    assert run.data.params["detector.post.score_threshold"] == {"base": "0.05", "strict": "0.1"}[row]
    assert {"AP", "AP50", "host_memory_gb", "wall_hours", "train/loss", "train/lr"} <= metrics.keys()
    assert {"system/cpu_utilization_percentage", "system/system_memory_usage_percentage"} <= metrics.keys()
    client = MlflowClient(tracking_uri=tracker.uri)
    losses = client.get_metric_history(run.info.run_id, "train/loss")
    assert [point.step for point in losses] == [1, 2, 3, 4]
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= FILES
    for folder, least in (("raw", 1), ("plots", 14), ("gallery", 4)):
        assert len(client.list_artifacts(run.info.run_id, folder)) >= least
    reached = kept(run, "plots/positives_after_suppression.csv").read_text()
    assert "before suppression" in reached
    assert "after suppression" in reached
    first = kept(run, "first_weights.txt").read_text()
    assert first.startswith("first weights: ")
    assert "first.pt" in first


def test_data_are_inputs_and_the_detector_is_a_model(runs: dict[str, Run], place: Place, tracker: Tracker) -> None:
    run = runs["strict · seed 0"]
    inputs = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
    assert {use: data.name for use, data in inputs.items()} == {
        "training": "synthetic/train",
        "evaluation": "synthetic/val",
    }
    assert json.loads(inputs["evaluation"].profile)["images"] == 6
    (output,) = run.outputs.model_outputs
    model = MlflowClient(tracking_uri=tracker.uri).get_logged_model(output.model_id)
    assert model.tags["row"] == "strict"
    assert "AP" in {metric.key for metric in model.metrics}


def test_runs_say_in_words_what_they_are(runs: dict[str, Run]) -> None:
    about = {name: run.data.tags.get("mlflow.note.content", "") for name, run in runs.items()}
    assert about["mine · full"] == "A study about nothing"
    assert "fewer boxes" in about["strict · seed 0"]
    assert "Against base: `detector.post.score_threshold` 0.05 → 0.1" in about["strict · seed 0"]
    assert "--rows strict --seeds 1" in about["strict · seed 0"]
    assert about["base · published"] == "P · T1 · 1x"


def test_the_kept_config_is_a_study_that_finds_the_same_training(runs: dict[str, Run], place: Place) -> None:
    again = load_study(kept(runs["strict · seed 0"], "config.yaml"))
    (cell,) = cells(again, prepared_data(again, place.cache.root))
    assert cell.score.digest == place.plan[1].score.digest


def test_what_is_recorded_is_not_told_again(runs: dict[str, Run], place: Place, tracker: Tracker) -> None:
    with place.record(tracker) as recorder:
        for cell in place.plan:
            recorder.finished(cell, place.work(cell))
    again = place.runs(tracker)
    for name in ("base · seed 0", "strict · seed 0", "later · seed 0"):
        assert again[name].data.tags == runs[name].data.tags


def test_a_run_that_was_broken_off_leaves_no_run_open(place: Place, tmp_path: Path) -> None:
    with Tracker(None, tmp_path) as tracker:
        with suppress(Interrupted), place.record(tracker) as recorder:
            recorder.finished(place.plan[0], place.work(place.plan[0]))
            raise Interrupted("stopped by the user")
        records = {record.row: record for record in tracker.records("mine") if record.source == "measured"}
        assert (records["strict"].status, records["strict"].reason) == ("interrupted", "stopped by the user")
        statuses = {name: run.info.status for name, run in place.runs(tracker).items()}
        assert statuses.pop("strict · seed 0") == statuses.pop("mine · full") == "KILLED"
        assert set(statuses.values()) == {"FINISHED"}


def test_a_study_with_a_failed_cell_has_failed_and_says_what_it_cost(place: Place, tmp_path: Path) -> None:
    with Tracker(None, tmp_path) as tracker:
        with place.record(tracker) as recorder:
            recorder.finished(place.plan[0], place.work(place.plan[0]))
            recorder.finished(place.plan[1], CellState(place.plan[1].title, "failed", reason="no memory"))
        runs = place.runs(tracker)
    assert runs["mine · full"].info.status == "FAILED"
    assert runs["mine · full"].data.tags["reason"] == "1 of 2 cells failed"
    assert runs["strict · seed 0"].data.tags["reason"] == "no memory"
    assert "wall_hours" in runs["strict · seed 0"].data.metrics
