"""The harness: who is compared, what disagreement does, what the numbers are, what a reader sees."""

import json
import statistics
import time

import pytest
import torch

from bench.errors import UserError
from bench.perf.harness import (
    Case,
    Comparison,
    Disagreement,
    Options,
    Timing,
    close,
    compare,
    machine,
    measure,
    peak_memory_mb,
    run,
    suites,
    timing,
    to_json,
)
from bench.perf.report import COLUMNS, row, show

CPU = torch.device("cpu")
SHORT = Options(seconds=0.0, min_runs=3, warm_up=1, device=CPU)


def test_both_sides_run_in_turns_after_their_outputs_were_compared():
    calls: list[str] = []

    def side(name: str):
        return lambda: calls.append(name) or name

    def agree(ours: str, peer: str) -> str:
        calls.append("agree")
        assert (ours, peer) == ("ours", "peer")
        return "equal"

    case = Case("case", side("ours"), side("peer"), "somebody", agree, items=4, unit="image")
    measured = compare(case, Options(seconds=0.0, min_runs=3, warm_up=2, device=CPU), "suite")
    warm = ["ours", "peer", "agree", "ours", "peer"]
    assert calls[: len(warm)] == warm
    assert calls[len(warm) : len(warm) + 6] == ["ours", "peer"] * 3
    assert measured.ours.runs == measured.peer.runs == 3
    assert (measured.agreement, measured.suite, measured.peer_name) == ("equal", "suite", "somebody")
    assert measured.ours.rate == pytest.approx(4 / measured.ours.median_ms * 1e3)
    assert measured.ratio == pytest.approx(measured.peer.median_ms / measured.ours.median_ms)


def test_a_slower_peer_has_a_ratio_above_one():
    case = Case("case", lambda: None, lambda: time.sleep(0.02), "slow")
    assert compare(case, SHORT).ratio > 2


def test_a_name_that_no_case_has_is_a_mistake():
    with pytest.raises(UserError, match=r"no case has 'fast' in its name; there is soft, 8 x 1000"):
        run("post", only="fast", device=CPU)


@pytest.mark.parametrize("suite", ["score", "studies", "overhead"])
def test_nor_do_suites_that_measure_by_themselves_start_without_a_case(suite: str):
    with pytest.raises(UserError, match=r"no case has 'fast' in its name; there is "):
        run(suite, only="fast", device=CPU)


def test_time_is_bounded_by_seconds_and_by_runs():
    case = Case("case", lambda: None)
    assert compare(case, Options(seconds=60.0, max_runs=7, device=CPU)).ours.runs == 7
    alone = compare(case, SHORT)
    assert (alone.ours.runs, alone.peer, alone.ratio) == (3, None, None)


def test_sides_that_disagree_are_not_timed():
    case = Case("case", lambda: torch.ones(2), lambda: torch.ones(2) * 1.1, "other", agree=close)
    with pytest.raises(Disagreement, match=r"differ by 0\.09"):
        compare(case, SHORT)


@pytest.mark.parametrize(
    ("ours", "peer", "said"),
    [
        (torch.ones(2), torch.ones(2), "equal"),
        ([torch.zeros(2), {"a": torch.ones(1)}], (torch.zeros(2), {"a": torch.ones(1) + 1e-6}), "within"),
        (torch.tensor([1e6]), torch.tensor([1e6 + 1]), "within"),
        (torch.empty(0, 4), torch.empty(0, 4), "equal"),
    ],
)
def test_closeness_is_relative_to_the_size_of_numbers(ours, peer, said):
    assert close(ours, peer).startswith(said)


@pytest.mark.parametrize(
    ("ours", "peer"),
    [
        (torch.ones(2), torch.ones(3)),
        (torch.tensor([float("nan")]), torch.ones(1)),
        (torch.ones(1), torch.tensor([float("nan")])),
    ],
)
def test_other_shapes_and_nan_disagree(ours, peer):
    with pytest.raises(Disagreement):
        close(ours, peer)


def test_numbers_of_a_timing():
    made = timing([float(ms) for ms in range(1, 102)], 10, 1.5)
    assert (made.median_ms, made.runs, made.peak_mb) == (51.0, 101, 1.5)
    assert made.p95_ms == pytest.approx(96.0)
    assert made.spread == pytest.approx(50 / 51)
    assert made.rate == pytest.approx(10 / 0.051)


def test_memory_is_what_a_call_needs_on_top():
    held = torch.ones(4 * 2**20)
    blocks = [torch.ones(4 * 2**10) for _ in range(10_000)]
    last = torch.ones(2**10)
    del blocks  # 160 MB that the process keeps, since something lies behind them
    peaks = [peak_memory_mb(lambda: torch.ones(16 * 2**20).sum(), CPU) for _ in range(3)]
    if None in peaks:
        pytest.skip("this system does not reset the peak of a process")
    assert 40 < statistics.median(peaks) < 120, "the system may take back other memory during one of the calls"
    assert held.numel() > last.numel()


def test_the_suites_are_the_files_of_the_folder():
    found = suites()
    assert {"train", "infer", "methods", "ops", "post", "overhead"} <= set(found)
    assert "harness" not in found
    assert "peers" not in found
    assert "products" not in found
    assert all(description.endswith((".", "steps")) or description for description in found.values())


def test_an_unknown_suite_names_the_nearest():
    with pytest.raises(UserError, match=r"'trian'.*train"):
        run("trian")


def test_cases_can_be_chosen():
    found = list(
        measure(
            "post", Options(seconds=0.0, min_runs=1, warm_up=1, only="standard, 8 x 1000 candidates, 20", device=CPU)
        )
    )
    assert [comparison.case for comparison in found] == ["standard, 8 x 1000 candidates, 20 classes"]
    assert found[0].agreement == "equal"


def test_the_cheap_ops_agree_with_their_peers():
    for only in ("nms 1000", "iou_guided_nms 5000 boxes, 80", "score_vote 100 of 1000", "PAA's assignment"):
        measured = run("ops", seconds=0.0, min_runs=1, warm_up=1, only=only, device=CPU)
        assert measured
        assert all(comparison.ratio > 0 for comparison in measured)


def test_a_table_and_a_file_say_the_same(capsys: pytest.CaptureFixture[str]):
    ours, peer = Timing(12.0, 15.0, 0.1, 9, 80.0, 3.0), Timing(2400.0, 3000.0, 0.2, 9, 0.4, None)
    both = Comparison("ops", "soft_nms", ours, peer, "plain loop", 200.0, "equal", "box", "a note")
    alone = Comparison("ops", "mine", ours, None, "", None, "", "box")
    assert row(both)[1:6] == ["12 ms", "15 ms", "10%", "80 box/s", "3 MB"]
    assert row(both)[6:] == ["plain loop", "2.40 s", "", "x200.00", "equal"]
    assert len(row(alone)) == len(COLUMNS)
    show([both, alone], "title")
    printed = capsys.readouterr().out
    for word in ("soft_nms", "plain loop", "x200.00", "mine", "soft_nms: a note"):
        assert word in printed
    stored = json.loads(json.dumps(to_json([both, alone], CPU)))
    assert stored["comparisons"][0]["peer"]["median_ms"] == 2400.0
    assert stored["machine"]["torch"] == torch.__version__
    assert machine(CPU)["device"]
