"""Two rows image by image: each image's number against a slow reference, and the page in a browser."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.board.comparing.compare import Side, image_precision, versus
from bench.board.comparing.load import finished_pair, load_versus
from bench.board.comparing.page import write_compare_page
from bench.data.converting.prepare import prepare
from bench.data.formats import synthetic
from bench.data.store import Store
from bench.errors import UserError
from bench.score.evaluate import evaluate
from bench.score.protocols.matching import Matches
from bench.score.tables.detections import Detections
from bench.score.tables.detections_file import write_parquet
from bench.score.tables.ground_truth import GroundTruth
from bench.track.tracker import Tracker
from tests.score.simulate import random_detections, random_truth


def slow_image_precision(matches: Matches, image: int) -> float:
    """One image, one threshold, one detection after the other."""
    objects = int(np.sum(matches.positive_image == image))
    if not objects:
        return float("nan")
    places = [int(place) for place in np.flatnonzero(matches.image == image)]
    places.sort(key=lambda place: -matches.score[place])
    total = 0.0
    for level in range(len(matches.thresholds)):
        found = counted = 0
        for place in places:
            if matches.ignored[level, place]:
                continue
            counted += 1
            if matches.true[level, place]:
                found += 1
                total += found / counted
    return total / objects / len(matches.thresholds)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 60))
def test_precision_within_an_image(seed: int, objects: int) -> None:
    rng = np.random.default_rng(seed)
    truth = random_truth(rng, images=6, objects=objects)
    matches = evaluate(random_detections(rng, truth, near=60, far=20), truth).matches
    expected = [slow_image_precision(matches, image) for image in range(6)]
    np.testing.assert_allclose(image_precision(matches), expected, atol=1e-12)


def test_finding_everything_first_is_perfect_and_nothing_is_nought() -> None:
    truth = random_truth(np.random.default_rng(0), images=4)
    boxes = Detections.from_boxes(4, truth.image, truth.boxes, np.where(truth.iscrowd, 0.1, 0.9), truth.labels)
    best = image_precision(evaluate(boxes, truth).matches)
    assert np.nanmin(best) == pytest.approx(1.0)
    nothing = Detections.from_boxes(4, [], np.zeros((0, 4)), [], [])
    assert np.nanmax(image_precision(evaluate(nothing, truth).matches)) == 0.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return prepare(synthetic.Config(val=12, size=96), tmp_path_factory.mktemp("data") / "val", split="val")


def found(store: Store, moved: float, seed: int, name: str) -> Side:
    truth, rng = GroundTruth.from_store(store), np.random.default_rng(seed)
    boxes = truth.boxes + rng.normal(0, moved, (len(truth), 4)) * np.tile(truth.xywh[:, 2:], 2)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    scores = rng.uniform(0.3, 1, len(truth))
    return Side(name, evaluate(Detections.from_boxes(len(store), truth.image, boxes, scores, truth.labels), truth))


def test_the_page_draws_what_changed_and_lists_the_rest(watched: Any, store: Store, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    two = versus(found(store, 0.12, 0, "coarse"), found(store, 0.03, 1, evil))
    path = write_compare_page(two, store, tmp_path / "compare.html")
    page = watched.open(path)
    assert page.locator("#improved figure").count() == min(8, int(np.sum(two.change > 0)))
    assert page.locator("#worsened figure").count() == min(8, int(np.sum(two.change < 0)))
    first = two.most_improved(1)[0]
    caption = page.locator("#improved figcaption").first.inner_text()
    assert store.annotations(first).source_id in caption
    assert f"{100 * two.a_images[first]:.1f} with coarse" in caption
    assert page.locator("#scatter circle").count() == int(np.isfinite(two.change).sum())
    assert page.locator("#metrics tbody tr").count() == 4
    page.locator("#filter").fill(store.annotations(first).source_id)
    assert page.locator("#board tbody tr").count() == 1
    page.locator("#filter").fill("")
    page.locator("#board thead button").nth(3).click()
    changes = [float(text.replace("−", "-")) for text in page.locator("#board tbody td:last-child").all_inner_texts()]
    assert changes == sorted(changes)
    assert page.locator("img[src=x]").count() == 0
    watched.check_quiet(path)


def test_a_row_against_itself_differs_nowhere(watched: Any, store: Store, tmp_path: Path) -> None:
    side = found(store, 0.1, 0, "same")
    two = versus(side, side)
    assert two.most_improved(8) == two.most_worsened(8) == []
    assert all(one.difference.value == 0 for one in two.metrics)
    path = write_compare_page(two, store, tmp_path / "compare.html")
    assert watched.open(path).locator("#improved").inner_text() == "None."
    watched.check_quiet(path)


@pytest.fixture
def rows(tracker: Tracker, store: Store, tmp_path: Path) -> dict[str, Side]:
    """A study of rows a and b; b has a seed more, judged on other data, and only under that one there is `late`."""
    sides = {"a": found(store, 0.12, 0, "a"), "b": found(store, 0.03, 1, "b")}
    tracker.start_study("versus", "p", "", {"protocol": "voc2012"})
    for row, side in sides.items():
        for seed, fingerprint in ((3, store.fingerprint), (4, "other data")):
            run = tracker.start_row("versus", row, seed, {}, {"data_fingerprint": fingerprint}, profile="p")
            write_parquet(tmp_path / "detections.parquet", side.scores.detections)
            tracker.artifact(run, tmp_path / "detections.parquet")
            if seed == 3 or row == "b":
                tracker.finish(run, "done")
    tracker.finish(tracker.start_row("versus", "late", 4, {}, {"data_fingerprint": "x"}, profile="p"), "done")
    return sides


@pytest.mark.parametrize("profile", ["p", None])
def test_rows_are_judged_as_their_study_says(
    tracker: Tracker, store: Store, rows: dict[str, Side], profile: str | None
) -> None:
    two = load_versus(tracker, finished_pair(tracker, "versus", profile, "a", "b"), store)
    expected = [evaluate(rows[name].scores.detections, store, "voc2012").metrics["AP50"] for name in ("a", "b")]
    assert [side.scores.metrics["AP50"] for side in (two.a, two.b)] == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("study", "profile", "a", "b", "line"),
    [
        ("versus", "p", "a", "c", "the row 'c' of 'versus' has no finished run; finished rows: a, b, late"),
        ("versus", "p", "a", "late", "versus: 'a' and 'late' share no seed"),
        ("verse", None, "a", "b", "no runs of the study 'verse' were recorded; recorded studies: versus"),
        ("versus", "full", "a", "b", "no runs of the study 'versus' under 'full' were recorded; it ran under p"),
    ],
)
def test_rows_that_cannot_be_compared(
    tracker: Tracker, rows: dict[str, Side], study: str, profile: str | None, a: str, b: str, line: str
) -> None:
    with pytest.raises(UserError, match=line):
        finished_pair(tracker, study, profile, a, b)


def test_a_study_under_several_profiles_needs_to_be_told_which(tracker: Tracker, rows: dict[str, Side]) -> None:
    tracker.start_study("versus", "smoke", "", {})
    with pytest.raises(UserError, match="--profile: 'versus' ran under several profiles; it is p or smoke"):
        finished_pair(tracker, "versus", None, "a", "b")


def test_rows_must_fit_the_data(tracker: Tracker, store: Store, rows: dict[str, Side]) -> None:
    with pytest.raises(UserError, match="was judged on other data"):
        load_versus(tracker, finished_pair(tracker, "versus", "p", "b", "late"), store)
