"""The curves that a page draws of a study by itself: a metric over the setting that its rows vary."""

from bench.board.making.build import build
from bench.study.definition.find import find_study
from bench.study.definition.spec import load_study
from bench.study.telling.redo import flat
from bench.track.record import RunRecord


def curves(name: str) -> dict[str, list[tuple[float, str]]]:
    """Setting -> (value, row) of each point, of records such as a run of the study leaves."""
    study = load_study(find_study(name))
    records = [
        RunRecord(
            study=study.name,
            profile=study.profile,
            row=row.name,
            seed=0,
            status="done",
            params={key: str(value) for key, value in flat(row.tree)},
            metrics={"AP": 0.3 + number / 100},
            run_id=str(number),
        )
        for number, row in enumerate(study.rows)
    ]
    board = build(records)
    rows = {row.id: row.name for row in board.rows}
    return {sweep.param: [(value, rows[point]) for value, point in sweep.points] for sweep in board.sweeps}


def test_the_exponents_of_iou_balanced_losses_are_two_curves() -> None:
    steps = [(0.5, "05"), (1.0, "10"), (1.5, "15"), (2.0, "20"), (2.5, "25")]
    assert curves("exponents") == {
        "detector.cls_loss.eta": [(value, f"eta_{name}") for value, name in steps],
        "detector.loc_loss.lam": [(value, f"lam_{name}") for value, name in steps],
    }


def test_the_number_of_candidates_a_level_is_a_curve() -> None:
    found = curves("paa/table4_topk")
    assert [value for value, _ in found["detector.assigner.topk"]] == [5, 9, 18, 25]
