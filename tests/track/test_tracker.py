"""What is said to the tracker is what its records say, however often and in whatever order it is said."""

import math
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from mlflow import MlflowClient

from bench.errors import UserError
from bench.track.reading import bulk
from bench.track.record import DataSet, Published, RunRecord
from bench.track.tracker import Tracker


def start(tracker: Tracker, row: str = "a", seed: int | None = 0, **more: str) -> str:
    return tracker.start_row("study", row, seed, {"lr": 0.1}, {"git_revision": "abc"}, profile="smoke", **more)


def only(tracker: Tracker) -> RunRecord:
    (record,) = tracker.records("study")
    return record


def history(tracker: Tracker, name: str) -> list[tuple[int, float]]:
    client = MlflowClient(tracking_uri=tracker.uri)
    return [(point.step, point.value) for point in client.get_metric_history(only(tracker).run_id, name)]


def test_a_row_comes_back_as_it_was_told(tracker: Tracker) -> None:
    run = start(tracker, digest="d1")
    tracker.finish(run, "done", metrics={"AP": 0.25, "AP.low": 0.2})
    record = only(tracker)
    assert (record.study, record.row, record.seed, record.profile) == ("study", "a", 0, "smoke")
    assert (record.status, record.source, record.reason) == ("done", "measured", "")
    assert record.metrics == {"AP": 0.25, "AP.low": 0.2}
    assert record.params == {"lr": "0.1"}
    assert record.tags["git_revision"] == "abc"
    assert record.tags["digest"] == "d1"
    assert record.started is not None
    assert record.ended is not None
    assert record.started <= record.ended


@pytest.mark.parametrize("status", ["done", "skipped", "failed", "stopped", "interrupted"])
def test_every_ending_is_kept_with_its_reason(tracker: Tracker, status: str) -> None:
    tracker.finish(start(tracker), status, reason="because")  # type: ignore[arg-type]
    assert (only(tracker).status, only(tracker).reason) == (status, "because")


def test_an_ending_that_is_none_is_refused(tracker: Tracker) -> None:
    with pytest.raises(ValueError, match="use one of done"):
        tracker.finish(start(tracker), "running")


def test_a_started_run_is_running(tracker: Tracker) -> None:
    start(tracker)
    assert only(tracker).status == "running"


def test_starting_again_continues_the_same_run(tracker: Tracker) -> None:
    first = start(tracker, digest="same")
    tracker.finish(first, "interrupted")
    second = start(tracker, digest="same")
    assert first == second
    assert only(tracker).status == "running"


def test_of_two_configs_of_a_row_the_newer_counts(tracker: Tracker) -> None:
    tracker.finish(start(tracker, digest="old"), "done", metrics={"AP": 0.1})
    tracker.finish(start(tracker, digest="new"), "done", metrics={"AP": 0.2})
    assert only(tracker).metrics == {"AP": 0.2}


def test_a_config_that_came_back_counts_again(tracker: Tracker) -> None:
    for digest, ap in (("old", 0.1), ("new", 0.2)):
        tracker.finish(start(tracker, digest=digest), "done", metrics={"AP": ap})
    tracker.finish(start(tracker, digest="old"), "done", metrics={"AP": 0.1})
    assert only(tracker).metrics == {"AP": 0.1}


def test_a_resumed_training_does_not_double_its_steps(root: Path) -> None:
    with Tracker(None, root) as tracker:
        run = start(tracker)
        for step in range(10):
            tracker.log(run, {"loss": float(step)}, step)
    with Tracker(None, root) as resumed:
        start(resumed)
        for step in range(5, 15):
            resumed.log(run, {"loss": float(step)}, step)
        resumed.deliver()
        assert history(resumed, "loss") == [(step, float(step)) for step in range(15)]


def test_the_metrics_of_the_ending_win_over_those_of_training(tracker: Tracker) -> None:
    run = start(tracker)
    tracker.log(run, {"AP": 0.1}, step=100)
    tracker.finish(run, "done", metrics={"AP": 0.3})
    assert only(tracker).metrics["AP"] == 0.3


def test_finishing_twice_adds_nothing(tracker: Tracker) -> None:
    run = start(tracker)
    tracker.finish(run, "done", metrics={"AP": 0.3, "odd": math.nan})
    tracker.finish(run, "done", metrics={"AP": 0.3, "odd": math.nan})
    assert history(tracker, "AP") == [(0, 0.3)]
    assert len(history(tracker, "odd")) == 1


def test_infinite_values_come_back(tracker: Tracker) -> None:
    tracker.finish(start(tracker), "done", metrics={"up": math.inf, "down": -math.inf})
    assert only(tracker).metrics == {"up": math.inf, "down": -math.inf}


def test_names_that_mlflow_refuses_are_made_legal(tracker: Tracker) -> None:
    tracker.finish(start(tracker), "done", metrics={"AP@[.5:.95]": 0.5, "/a//b/../c": 1.0})
    assert only(tracker).metrics == {"AP__.5:.95_": 0.5, "a/b/c": 1.0}


def test_long_values_and_many_params(tracker: Tracker) -> None:
    params = {f"p{i}": "x" * 7000 for i in range(150)}
    tracker.finish(tracker.start_row("study", "a", 0, params, {}), "done")
    record = only(tracker)
    assert len(record.params) == 150
    assert {len(value) for value in record.params.values()} == {6000}


def test_more_metrics_than_one_request_takes(tracker: Tracker) -> None:
    run = start(tracker)
    tracker.finish(run, "done", metrics={f"m{i}": float(i) for i in range(1500)})
    assert len(only(tracker).metrics) == 1500


def test_profiles_are_told_apart_and_published_rows_belong_to_all(tracker: Tracker) -> None:
    start(tracker)
    tracker.start_row("study", "a", 0, {}, {}, profile="full")
    tracker.publish("study", [Published(row="a", metrics={"AP": 0.4})])
    assert [(r.profile, r.source) for r in tracker.records("study", "full")] == [
        ("full", "measured"),
        ("", "published"),
    ]
    assert len(tracker.records("study")) == 3


def test_published_rows_are_entered_once_and_follow_the_file(tracker: Tracker) -> None:
    first = Published(row="a", metrics={"AP": 0.4}, paper="P", table="T", schedule="1x", footnote="f")
    tracker.publish("study", [first, Published(row="gone", metrics={"AP": 0.1})])
    kept = {r.row: r.run_id for r in tracker.records("study")}
    tracker.publish("study", [first])
    record = only(tracker)
    assert record.run_id == kept["a"]
    assert record.source == "published"
    assert {name: record.tags[name] for name in ("paper", "table", "schedule", "footnote")} == first.tags
    tracker.publish("study", [Published(row="a", metrics={"AP": 0.41})])
    assert only(tracker).metrics == {"AP": 0.41}


def test_studies_with_their_claims(tracker: Tracker) -> None:
    tracker.start_study("study", "smoke", "All about it", {"baseline": "a"})
    tracker.start_study("study", "smoke", "All about it", {"baseline": "a"})
    tracker.judge("study", "smoke", [{"text": "a > b", "verdict": "holds"}])
    (study,) = tracker.studies()
    assert (study.study, study.profile, study.description) == ("study", "smoke", "All about it")
    assert study.params == {"baseline": "a"}
    assert study.claims == ({"text": "a > b", "verdict": "holds"},)
    assert tracker.study("study", "full") is None


def test_what_a_study_says_of_itself_follows_its_file(tracker: Tracker) -> None:
    tracker.start_study("study", "smoke", "old", {"baseline": "a", "rows": ["a", "b"]})
    tracker.start_study("study", "smoke", "new", {"baseline": "b", "rows": ["b", "a"]})
    (study,) = tracker.studies()
    assert study.description == "new"
    assert study.params == {"baseline": "b", "rows": '["b", "a"]'}


def test_rows_are_children_of_their_study(tracker: Tracker) -> None:
    tracker.start_study("study", "smoke", "", {})
    start(tracker)
    run = MlflowClient(tracking_uri=tracker.uri).get_run(only(tracker).run_id)
    assert run.data.tags["mlflow.parentRunId"] == tracker.studies()[0].run_id


DATA = [
    DataSet(name="coco/train", use="training", fingerprint="e" * 64, source="/data/train", profile={"images": 9}),
    DataSet(name="coco/val", use="evaluation", fingerprint="f" * 64, source="/data/val", profile={"images": 4}),
]


def test_data_sets_and_model_are_inputs_and_output_of_a_run(tracker: Tracker, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(b"weights")
    for _ in range(2):
        run = tracker.start_row("study", "a", 0, {"lr": 0.1}, {}, data=DATA)
        tracker.model(run, "a: 50%/c.2", tmp_path / "weights.pt")
        tracker.finish(run, "done", metrics={"AP": 0.5})
    client = MlflowClient(tracking_uri=tracker.uri)
    found = client.get_run(only(tracker).run_id)
    inputs = {one.tags[0].value: one.dataset for one in found.inputs.dataset_inputs}
    assert {use: (data.name, data.digest, data.profile) for use, data in inputs.items()} == {
        "training": ("coco/train", "e" * 36, '{"images": 9}'),
        "evaluation": ("coco/val", "f" * 36, '{"images": 4}'),
    }
    (model,) = client.search_logged_models([found.info.experiment_id])
    assert (model.name, model.source_run_id, model.params) == ("a_ 50__c_2", found.info.run_id, {"lr": "0.1"})
    assert [(m.key, m.value, m.dataset_name) for m in model.metrics] == [("AP", 0.5, "coco/val")]
    kept = Path(urlsplit(model.artifact_location).path) / "weights.pt"
    assert kept.samefile(tmp_path / "weights.pt")


def test_artifacts_can_be_fetched(tracker: Tracker, tmp_path: Path) -> None:
    run = start(tracker)
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "pr.txt").write_text("curve")
    tracker.artifact(run, tmp_path / "plots")
    tracker.artifact(run, tmp_path / "plots" / "pr.txt", folder="single")
    tracker.deliver()
    for name in ("plots/pr.txt", "single/pr.txt"):
        path = tracker.fetch(only(tracker), name)
        assert path is not None
        assert path.read_text() == "curve"
    assert tracker.fetch(only(tracker), "nothing.json") is None


def test_what_never_changes_is_kept_without_a_copy_and_what_does_is_not(tracker: Tracker, tmp_path: Path) -> None:
    run = start(tracker)
    (tmp_path / "raw" / "part").mkdir(parents=True)
    for name in ("raw/a.parquet", "raw/part/b.parquet", "page.html"):
        (tmp_path / name).write_text("one")
    for _ in range(2):
        tracker.artifact(run, tmp_path / "raw", steady=True)
        tracker.artifact(run, tmp_path / "page.html")
    tracker.deliver()
    (tmp_path / "page.html").write_text("two")
    raw, page = (tracker.fetch(only(tracker), name) for name in ("raw", "page.html"))
    assert raw is not None
    assert page is not None
    assert page.read_text() == "one"
    for name in ("a.parquet", "part/b.parquet"):
        assert (raw / name).read_text() == "one"
    assert Path(urlsplit(only(tracker).artifacts).path, "raw/a.parquet").samefile(tmp_path / "raw/a.parquet")


def test_texts_tags_and_points_of_many_steps(tracker: Tracker) -> None:
    run = start(tracker)
    tracker.text(run, "notes/config.yaml", "lr: 0.1\n")
    tracker.tag(run, {"git_revision": "0123456789ab+dirty-77", "git_branch": "main"})
    tracker.log_points(run, [(1000.0, 0, {"loss": 2.0}), (1010.0, 5, {"loss": 1.0, "lr": 0.1})])
    tracker.deliver()
    client = MlflowClient(tracking_uri=tracker.uri)
    assert [(p.timestamp, p.step) for p in client.get_metric_history(only(tracker).run_id, "loss")] == [
        (1_000_000, 0),
        (1_010_000, 5),
    ]
    tags = client.get_run(only(tracker).run_id).data.tags
    assert tags["mlflow.source.git.commit"] == "0123456789ab"
    assert (tags["mlflow.source.git.branch"], tags["mlflow.source.git.dirty"]) == ("main", "true")
    text = tracker.fetch(only(tracker), "notes/config.yaml")
    assert text is not None
    assert text.read_text() == "lr: 0.1\n"


def test_a_refused_record_is_kept_and_said_and_blocks_nothing(
    tracker: Tracker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = start(tracker)
    tracker.artifact(run, tmp_path / "never-written")
    tracker.finish("0" * 32, "done")
    tracker.finish(run, "done", metrics={"AP": 1.0})
    assert only(tracker).status == "done"
    assert capsys.readouterr().err.count("was refused") == 2
    assert len((tracker.root / "journal" / "refused.txt").read_text().splitlines()) == 2


def test_runs_of_other_tools_and_deleted_runs(tracker: Tracker) -> None:
    gone, kept = start(tracker, "gone"), start(tracker, "kept")
    client = MlflowClient(tracking_uri=tracker.uri)
    by_row = {record.row: record for record in tracker.records("study")}
    client.delete_run(by_row["gone"].run_id)
    for _ in range(2):
        other = client.create_run(by_row["kept"].experiment_id, run_name="theirs", tags={"seed": "not a number"})
        client.log_metric(other.info.run_id, "AP", 0.9)
        client.set_terminated(other.info.run_id)
    found = [(record.row, record.source, record.status) for record in tracker.records("study")]
    assert found == [("kept", "measured", "running"), *[("theirs", "other", "done")] * 2]
    tracker.finish(kept, "done")
    tracker.log(gone, {"AP": 0.1}, 0)
    assert tracker.deliver()


def test_tables_read_at_once_say_what_the_api_says(tracker: Tracker) -> None:
    for row, metrics in (("a", {"AP": 0.5, "odd": math.nan, "big": math.inf}), ("b", {}), ("gone", {"AP": 0.1})):
        tracker.finish(start(tracker, row), "done", metrics=metrics)
    records = {record.row: record for record in tracker.records("study")}
    client, experiment = MlflowClient(tracking_uri=tracker.uri), records["a"].experiment_id
    client.delete_run(records["gone"].run_id)
    client.log_param(client.create_run(experiment).info.run_id, "theirs", "1")
    by_api = [bulk._plain(run) for run in bulk.pages(client, experiment)]
    assert len(by_api) == 3
    assert repr(bulk.all_runs(client, experiment)) == repr(by_api)


def test_a_deleted_run_is_started_anew(tracker: Tracker, root: Path) -> None:
    start(tracker)
    MlflowClient(tracking_uri=tracker.uri).delete_run(only(tracker).run_id)
    with Tracker(None, root) as later:
        start(later)
        assert only(later).status == "running"


def test_a_study_without_records(tracker: Tracker) -> None:
    assert tracker.records("nothing") == []
    assert tracker.studies() == []


def test_a_deleted_experiment_is_explained(tracker: Tracker, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(tracker)
    MlflowClient(tracking_uri=tracker.uri).delete_experiment(only(tracker).experiment_id)
    with Tracker(None, root) as later:
        start(later)
        assert "was deleted in MLflow; restore it" in capsys.readouterr().err
        assert later.records("study") == []


def test_a_database_that_fails_is_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As on a full disk: here the file is gone, to which no more can be written."""
    with Tracker(None, root) as tracker:
        start(tracker)
        assert tracker.deliver()
        (root / "mlflow.db").unlink()
        start(tracker, "b")
        (told,) = capsys.readouterr().err.splitlines()
        assert told.startswith("tracking: a record (row) was refused: ")
        assert "it is kept in" in told


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("this is not a database, and it is longer than a header" * 9)
    with pytest.raises(UserError, match="cannot be opened as a tracking database"):
        Tracker(None, tmp_path)


def test_a_server_that_is_away_cannot_be_read(tmp_path: Path, free_port: int) -> None:
    with (
        Tracker(f"http://127.0.0.1:{free_port}", tmp_path) as tracker,
        pytest.raises(UserError, match="does not answer"),
    ):
        tracker.records("study")
