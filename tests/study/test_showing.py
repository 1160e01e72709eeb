"""A finished study shows what it showed before, without opening its record, until something has changed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from bench.study.definition.spec import Study, load_study
from bench.study.run import Finished, run_study
from bench.study.running.resources import Spread
from bench.track.reaching.address import database_uri
from tests.study.place import Place

LOOK = """import sys
from bench.cli import run_app
assert run_app(["run", *sys.argv[1:]]) == 0
print(*sorted({"mlflow", "ray", "torchvision"} & sys.modules.keys()))
"""


def run(place: Place, study: Study | None = None, tracking: str | None = None) -> Finished:
    """Ends a study of which nothing is missing."""
    return run_study(study or place.study, storage=place.cache.root, tracking=tracking, spread=Spread())


def told(place: Place) -> int:
    """Changes with all that is told to the record."""
    return (place.cache.root / "mlflow.db").stat().st_mtime_ns


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("finished"))
    for cell in place.plan:
        place.work(cell)
    return place


@pytest.fixture
def place(finished: Place) -> Place:
    """Its study is finished and was shown."""
    assert run(finished).shown.page is not None
    return finished


def test_what_has_not_changed_is_shown_as_it_was_and_not_told_again(place: Place) -> None:
    before = told(place)
    first, second = run(place), run(place)
    assert "strict" in first.shown.text
    assert first == second
    assert {state.status for state in first.states} == {"done"}
    assert told(place) == before


def by_command(place: Place) -> list[str]:
    """Lines that `locbench run` prints in a process of its own, and which of the large libraries it then has."""
    arguments = [str(place.root / "mine.yaml"), "--storage", str(place.cache.root)]
    # Given by name: readline, where it is loaded, sets the width of a terminal for child processes behind our back.
    environment = dict(os.environ)
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.splitlines()


def test_the_command_line_loads_nothing_that_it_does_not_need(place: Place) -> None:
    *shown, loaded = by_command(place)
    assert shown[-1].startswith("page: ")
    assert loaded == ""


def remove_page(place: Place) -> None:
    (place.cache.root / "boards" / "mine.html").unlink()


def remove_a_run(place: Place) -> None:
    client = MlflowClient(tracking_uri=database_uri(place.cache.root))
    experiment = client.get_experiment_by_name("mine")
    runs = client.search_runs([experiment.experiment_id], "tags.row = 'strict'")
    client.delete_run(runs[0].info.run_id)


def leave_something_waiting(place: Place) -> None:
    entry = {"op": "tag", "key": "nobody", "time": 0.0, "tags": {}}
    (place.cache.root / "journal" / "of-a-dead-process.jsonl").write_text(json.dumps(entry) + "\n")


@pytest.mark.parametrize("change", [remove_page, remove_a_run, leave_something_waiting])
def test_a_change_of_the_record_is_noticed(place: Place, change: Callable[[Place], None]) -> None:
    change(place)
    before = told(place)
    shown = run(place).shown
    assert told(place) != before
    assert "strict" in shown.text
    assert shown.page is not None
    assert shown.page.is_file()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A study about nothing", "A study about little"),
        ("AP: 36.4", "AP: 36.5"),
        ("fewer boxes", "far fewer boxes"),
        ("yet to come", "still to come"),
        ("published:", 'claims: ["AP[base] > AP[strict]"]\npublished:'),
    ],
)
def test_a_change_of_the_study_is_noticed(place: Place, old: str, new: str) -> None:
    file = place.root / "mine.yaml"
    text = file.read_text()
    before = told(place)
    try:
        file.write_text(text.replace(old, new))
        run(place, load_study(file))
    finally:
        file.write_text(text)
    assert told(place) != before


def test_another_profile_of_the_same_name_is_shown_as_what_it_is(place: Place) -> None:
    other = run(place, replace(place.study, profile="smoke", title="The small one"))
    assert "The small one" in other.shown.text
    assert "A study about nothing" in run(place).shown.text


def test_a_record_elsewhere_is_told_of_a_finished_study(place: Place, tmp_path: Path) -> None:
    tracking = database_uri(tmp_path)
    assert "strict" in run(place, tracking=tracking).shown.text
    before = (tmp_path / "mlflow.db").stat().st_mtime_ns
    run(place, tracking=tracking)
    assert (tmp_path / "mlflow.db").stat().st_mtime_ns == before


def test_a_record_that_is_gone_is_written_anew(place: Place) -> None:
    (place.cache.root / "mlflow.db").unlink()
    *shown, loaded = by_command(place)
    assert any("strict" in line for line in shown)
    assert "mlflow" in loaded
    *again, loaded = by_command(place)
    assert again == shown
    assert loaded == ""
