"""The language of claims: what it says, what it refuses, and when the numbers suffice."""

import numpy as np
import pytest

from bench.errors import UserError
from bench.score.claims import Quantity, Row, judge


def quantity(value, spread=0.001, seed=0):
    return Quantity(value, value + np.random.default_rng(seed).normal(0, spread, 500))


TABLE = {
    "baseline": Row({"AP": quantity(0.370, seed=1), "ms_per_image": Quantity(30.0)}),
    "l": Row({"AP": quantity(0.380, seed=2), "ms_per_image": Quantity(33.0)}),
    "h": Row({"AP": quantity(0.388, seed=3), "AP90": quantity(0.12)}),
    "h_plus_l": Row({"AP": quantity(0.390, seed=4), "AP90": quantity(0.13)}),
    **{
        f"k-{k}": Row({"AP": quantity(ap, seed=k)}, {"detector.assign.topk": k})
        for k, ap in ((5, 0.405), (9, 0.408), (18, 0.404), (25, 0.400))
    },
}


@pytest.mark.parametrize(
    ("claim", "answer"),
    [
        ("AP[h] > AP[l] > AP[baseline]", "holds"),
        ("AP[baseline] < AP[l] < AP[h]", "holds"),
        ("AP[h_plus_l] > AP[h] > AP[l] > AP[baseline]", "undecided"),
        ("AP[l] > AP[h]", "fails"),
        ("AP[h_plus_l] > AP[h] > AP[h_plus_l] > AP[baseline]", "undecided"),
        ("AP[h_plus_l] > AP[l] > AP[h]", "fails"),
        ("AP[h] - AP[baseline] > 1 pt", "holds"),
        ("AP[h] - AP[baseline] > 0.01", "holds"),
        ("AP[h] - AP[baseline] > 3 pt", "fails"),
        ("AP[h] - AP[baseline] >= 1.8 pt", "undecided"),
        ("abs(AP[h_plus_l] - AP[h]) < 1pt", "holds"),
        ("AP90[h] + 2 * AP[h] < 1", "holds"),
        ("-AP[h] < 0", "holds"),
        ("(AP[h] + AP[l]) - AP[baseline] > .39", "holds"),
        ("AP[ h ] > AP[ h ]", "fails"),
        ("AP[h] >= AP[h]", "holds"),
        ("ms_per_image[l] - ms_per_image[baseline] <= 3", "holds"),
        ("ms_per_image[l] < ms_per_image[baseline]", "fails"),
        ("argmax over topk is 9 +- one step", "holds"),
        ("argmax AP over topk is 9", "holds"),
        ("argmax AP over topk is 25 ± 1 step", "fails"),
        ("argmax AP over detector.assign.topk is 18 +- 1 step", "holds"),
        ("argmin AP over topk is 25", "holds"),
        ("AP falls over topk", "fails"),
        ("AP rises over topk", "fails"),
    ],
)
def test_verdicts(claim, answer):
    verdict = judge(claim, TABLE)
    assert verdict.answer == answer, verdict.line()
    assert verdict.line().startswith(claim)


def test_monotone_over_the_order_of_values_not_of_rows():
    table = {
        name: Row({"AP": quantity(ap, seed=i)}, {"sigma": sigma})
        for i, (name, ap, sigma) in enumerate([("c", 0.3, 10.0), ("a", 0.1, 0.0025), ("b", 0.2, 0.5)])
    }
    assert judge("AP rises over sigma", table).answer == "holds"
    assert judge("AP falls over sigma", table).answer == "fails"
    assert judge("argmax over sigma is 10", table).answer == "holds"


def test_findings_carry_difference_and_interval():
    finding = judge("AP[h] > AP[baseline]", TABLE).findings[0]
    assert finding.difference == pytest.approx(0.018)
    assert 0.014 < finding.low < 0.018 < finding.high < 0.022


def test_paired_resamples_decide_what_separate_intervals_would_not():
    shared = np.random.default_rng(0).normal(0, 0.02, 500)
    table = {"a": Row({"AP": Quantity(0.40, 0.40 + shared)}), "b": Row({"AP": Quantity(0.41, 0.41 + shared)})}
    assert judge("AP[b] > AP[a]", table).answer == "holds"


def test_a_metric_without_a_value_is_undecided():
    table = {"a": Row({"AP": Quantity(float("nan"), np.full(500, np.nan))}), "b": Row({"AP": quantity(0.4)})}
    assert judge("AP[b] > AP[a]", table).answer == "undecided"


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ("AP[heavy] > AP[l]", "no row is called 'heavy'"),
        ("AP[h_plus] > AP[l]", "did you mean 'h_plus_l'"),
        ("AP75[h] > AP[l]", "no metric 'AP75'"),
        ("AP[h]", "the end at column 6 should be one of > < >= <="),
        ("AP[h] > ", "the end at column 9 should be a number or a metric"),
        ("AP[h] = AP[l]", "cannot read '=' at column 7"),
        ("AP[h] > AP[l] AP[h]", "'AP[h]' at column 15 is more than one claim"),
        ("__import__('os')", "cannot read"),
        ("AP[h] > exit()", "'exit' at column 9 should be a number or a metric"),
        ("AP[h].x > 1", "cannot read '.'"),
        ("AP[h] > (AP[l]", "should be ')'"),
        ("argmax over depth is 9", "0 rows set 'depth', too few"),
        ("argmax over topk is 7", "no row has topk = 7; rows have 5, 9, 18, 25"),
        ("argmax over topk is 9 +- few steps", "should be a number of steps"),
        ("argmax over topk is 9 +- 1", "should be 'step' or 'steps'"),
        ("AP rises topk", "should be 'over'"),
        ("", "should be a number or a metric"),
    ],
)
def test_nonsense_is_refused_in_one_line(claim, words):
    with pytest.raises(UserError) as error:
        judge(claim, TABLE)
    assert words in str(error.value)
    assert str(error.value).startswith(f"claim {claim!r}")
