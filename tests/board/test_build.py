"""From records to a board: what counts, what is subtracted from what, who is baseline, what is explained."""

from dataclasses import replace

import numpy as np
import pytest

from bench.board.board import Row
from bench.board.making.build import build
from bench.board.making.group import Extras
from bench.track.record import RunRecord, StudyRecord
from tests.board import sample


def record(row: str, ap: float | None, seed: int | None = 0, **more: object) -> RunRecord:
    facts = {"status": "done", "run_id": f"{row}{seed}", "metrics": {} if ap is None else {"AP": ap}} | more
    return RunRecord(study="s", row=row, seed=seed, profile="p", **facts)  # type: ignore[arg-type]


def published(row: str, ap: float) -> RunRecord:
    return RunRecord(study="s", row=row, source="published", status="done", metrics={"AP": ap})


def by_name(records: list[RunRecord], **more: object) -> dict[str, Row]:
    return {row.name: row for row in build(records, **more).rows}  # type: ignore[arg-type]


def test_seeds_are_averaged_and_rows_ordered() -> None:
    rows = build([record("a", 0.1, 0), record("a", 0.3, 1), record("b", 0.9, 0), record("c", None, 0)]).rows
    assert [row.name for row in rows] == ["b", "a", "c"]
    assert rows[1].values["AP"].value == pytest.approx(0.2)
    assert rows[1].values["AP"].n == 2
    assert rows[2].rank is None


def test_only_runs_that_ended_well_have_a_say() -> None:
    records = [
        record("a", 0.1, 0),
        record("a", 0.9, 1, status="failed", reason="nan"),
        record("a", 0.8, 2, status="running"),
    ]
    row = by_name(records)["a"]
    assert row.values["AP"].value == 0.1
    assert row.status == "1 done, 1 failed, 1 running"
    assert row.reason == "nan"
    assert [run.status for run in row.runs] == ["done", "failed", "running"]


def test_numbers_that_are_none_are_missing() -> None:
    rows = by_name([record("a", float("nan")), record("b", float("inf")), record("c", 0.5)])
    assert "AP" not in rows["a"].values
    assert "AP" not in rows["b"].values
    assert rows["c"].rank == 1


def test_changes_and_changes_of_changes() -> None:
    records = [record("base", 0.30), record("new", 0.35), published("base", 0.36), published("new", 0.39)]
    study = StudyRecord(study="s", profile="p", params={"baseline": "base"})
    rows = by_name(records, studies=[study])
    assert rows["new"].changes["AP"].value == pytest.approx(0.05)
    assert rows["new"].published_changes["AP"] == pytest.approx(0.03)
    assert rows["new"].change_of_change("AP") == pytest.approx(0.02)
    assert rows["base"].is_baseline
    assert rows["base"].changes == rows["base"].published_changes == {}
    assert rows["base"].change_of_change("AP") is None


def test_measured_and_published_never_mix() -> None:
    rows = by_name([record("a", 0.30), published("a", 0.36), published("only in the paper", 0.5)])
    assert (rows["a"].values["AP"].value, rows["a"].published["AP"]) == (0.30, 0.36)
    assert rows["only in the paper"].values == {}
    assert rows["only in the paper"].rank is None
    assert rows["only in the paper"].status == "not run"


def test_rows_that_only_papers_have_are_told_from_rows_that_were_not_run() -> None:
    theirs = replace(published("theirs", 0.5), tags={"only_printed": "yes"})
    rows = by_name([record("a", 0.30), published("a", 0.36), theirs, published("later", 0.4)])
    assert {name: (row.status, row.only_printed) for name, row in rows.items()} == {
        "a": ("done", False),
        "theirs": ("published", True),
        "later": ("not run", False),
    }
    assert rows["theirs"].published_changes["AP"] == pytest.approx(0.14)


def test_resamples_of_other_sizes_or_draws_are_not_subtracted() -> None:
    records = [record("a", 0.1), record("b", 0.2), record("c", 0.3), record("d", 0.4)]
    sizes = {"a0": ("x", 50), "b0": ("x", 40), "c0": ("y", 50), "d0": ("x", 50)}
    extras = {}
    for run in records:
        key, size = sizes[run.run_id]
        draws = run.metrics["AP"] + np.random.default_rng(0).normal(0, 0.1, size)
        extras[run.run_id] = Extras({"resamples": {"key": key, "AP": draws.tolist()}})
    rows = by_name(records, extras=extras)
    assert rows["d"].changes["AP"].half == pytest.approx(0), "the same draws, so the same difference in each"
    for other in "bc":
        half = rows[other].changes["AP"].half
        assert half is not None
        assert half > 0.1


def test_a_paper_alone_is_a_board() -> None:
    assert [row.name for row in build([published("a", 0.5)]).rows] == ["a"]


def test_without_a_named_baseline_the_first_row_is_it() -> None:
    study = StudyRecord(study="s", profile="p", params={"rows": '["b", "a"]'})
    assert by_name([record("a", 0.1), record("b", 0.2)])["a"].is_baseline
    assert by_name([record("a", 0.1), record("b", 0.2)], studies=[study])["b"].is_baseline


def test_a_baseline_that_failed_leaves_no_changes() -> None:
    study = StudyRecord(study="s", profile="p", params={"baseline": "a"})
    rows = by_name([record("a", None, status="failed"), record("b", 0.2)], studies=[study])
    assert rows["b"].changes == {}
    assert rows["b"].rank == 1


def test_config_difference_and_command() -> None:
    rows = by_name(
        [
            record("a", 0.1, params={"lr": "0.1", "nms": "hard"}),
            record("b c", 0.2, params={"lr": "0.1", "nms": "soft", "sigma": "0.5"}),
        ]
    )
    assert rows["b c"].config_difference == {"nms": ("hard", "soft"), "sigma": ("–", "0.5")}
    assert rows["b c"].command == "locbench run s --profile p --rows 'b c'"
    assert rows["a"].config_difference == {}


def test_studies_side_by_side_have_their_own_baselines_and_ranks() -> None:
    other = [replace(r, study="t") for r in (record("x", 0.5), record("y", 0.7))]
    board = build([record("a", 0.1), record("b", 0.2), *other])
    assert board.many_studies
    assert [(row.study, row.name, row.rank) for row in board.rows] == [
        ("s", "b", 1),
        ("s", "a", 2),
        ("t", "y", 1),
        ("t", "x", 2),
    ]
    assert [row.name for row in board.rows if row.is_baseline] == ["a", "x"]


def test_less_is_better_where_it_is() -> None:
    rows = build(
        [record("slow", 0, metrics={"ms_per_image": 9.0}), record("fast", 0, metrics={"ms_per_image": 3.0})],
        metric="ms_per_image",
    ).rows
    assert [row.name for row in rows] == ["fast", "slow"]


def test_curves_and_ends_of_intervals_are_no_columns() -> None:
    metrics = {"AP": 0.5, "AP.low": 0.4, "AP.high": 0.6, "diff/AP": 0.1, "train/loss": 1.0, "mine": 2.0, "APs": 0.2}
    assert build([record("a", None, metrics=metrics)]).columns == ("AP", "APs", "mine")


def test_runs_of_others_are_counted_not_shown() -> None:
    board = build([record("a", 0.1), replace(record("b", 0.9), source="other")])
    assert [row.name for row in board.rows] == ["a"]
    assert any("1 run that other tools" in note for note in board.notes)


def test_ties_span_ranks() -> None:
    def of(row: str, ap: float) -> RunRecord:
        return record(row, None, metrics={"AP": ap, "AP.low": ap - 0.02, "AP.high": ap + 0.02})

    rows = by_name([of("a", 0.50), of("b", 0.51), of("c", 0.40)])
    assert [(rows[n].rank, rows[n].last_rank, rows[n].tied) for n in "bac"] == [
        (1, 2, True),
        (1, 2, True),
        (3, 3, False),
    ]


def test_curves_are_means_over_seeds_of_what_they_share() -> None:
    curves = [{"pr": {"0.50": {"recall": [0, 1], "precision": [1.0, p]}}, "errors": {"Cls": p}} for p in (0.2, 0.4)]
    curves[0]["reliability"] = {"score": {"predicted": [0.5]}}
    extras = {f"a{seed}": Extras(tree) for seed, tree in enumerate(curves)}
    found = by_name([record("a", 0.1, 0), record("a", 0.2, 1)], extras=extras)["a"].curves
    assert found["pr"]["0.50"]["precision"] == pytest.approx([1.0, 0.3])
    assert found["errors"]["Cls"] == pytest.approx(0.3)
    assert "reliability" not in found


def test_sweeps_are_found_in_the_configs() -> None:
    (sweep,) = sample.board().sweeps
    assert sweep.param == "loss.eta"
    assert [number for number, _ in sweep.points] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert sweep.points[3][1] == "iou_net/mini/iou-balanced η=1.5"


@pytest.mark.parametrize(
    ("claim", "curves"),
    [
        ("argmax AP over lam is 1.5 +- 1 step", ["loss.lam"]),
        ("AP rises over w", ["loss.w"]),
        ("AP[a] > AP[b]", []),
        ("AP rises over epochs", []),
        ("what another version wrote", []),
    ],
)
def test_rows_that_a_claim_orders_are_a_curve(claim: str, curves: list[str]) -> None:
    weights = {"a": ("0.5", "1.6"), "b": ("1.0", "2.2"), "c": ("1.5", "3.0")}
    records = [
        record(row, 0.5, params={"loss.lam": lam, "loss.w": w, "epochs": "12"}) for row, (lam, w) in weights.items()
    ]
    study = StudyRecord(study="s", profile="p", claims=({"text": claim, "verdict": "holds"},))
    sweeps = build([*records, record("base", 0.4, params={"epochs": "12"})], studies=[study]).sweeps
    assert [sweep.param for sweep in sweeps] == curves
    assert all([row for _, row in sweep.points] == ["s/p/a", "s/p/b", "s/p/c"] for sweep in sweeps)


def test_a_curve_that_a_claim_names_is_drawn_once() -> None:
    records = [record(row, 0.5, params={"k": k}) for row, k in (("a", "5"), ("b", "7"), ("c", "9"))]
    study = StudyRecord(study="s", profile="p", claims=({"text": "AP rises over k", "verdict": "holds"},))
    assert len(build(records, studies=[study]).sweeps) == 1


def test_the_sample_ranks_as_its_resamples_say() -> None:
    board = sample.board()
    best = board.rows[0]
    assert best.values["AP"].half is not None
    assert best.changes["AP"].half is not None
    assert best.changes["AP"].half < best.values["AP"].half
    assert np.all(np.diff([row.rank for row in board.rows if row.rank]) >= 0)
