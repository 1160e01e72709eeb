"""What methods cost: baselines of equal weights, and how much of a call is convolutions."""

from functools import partial

import pytest
import torch
from torch import nn

from bench.perf import peers, plain
from bench.perf.harness import Case, Disagreement, Options, compare
from bench.perf.products import note, share_of_products
from bench.perf.scenes import candidates, raw
from bench.perf.suites import methods

CPU = torch.device("cpu")
MODELS = ("iou_aware_r50_fpn", "dir_r50_fpn", "iou_net_r50_fpn", "iou_net_r50_fpn_refined", "PAA")


class Says(nn.Module):
    """A detector whose class scores are given."""

    def __init__(self, *scores: float) -> None:
        super().__init__()
        self.scores = torch.tensor(scores)

    def predict_raw(self, given):
        made = raw(1, max(1, len(self.scores)), 3, CPU).select(torch.arange(len(self.scores)))
        made.scores.copy_(self.scores)
        return made


def test_a_branch_may_choose_among_candidates_and_make_none():
    base = Says(0.5, 0.25, 0.75)
    assert methods._same_candidates(Says(0.5, 0.25, 0.75), base, [], None, None) == "equal candidates"
    assert methods._same_candidates(Says(0.25), base, [], None, None) == "1 of equal candidates"
    for wrong in (Says(0.5, 0.3), Says()):
        with pytest.raises(Disagreement, match="does not have"):
            methods._same_candidates(wrong, base, [], None, None)


@pytest.mark.slow
def test_every_method_agrees_with_its_baseline_and_trains(monkeypatch: pytest.MonkeyPatch):
    small = list(torch.nn.functional.interpolate(torch.stack(peers.images(CPU, 1)), size=(96, 128)))
    monkeypatch.setattr(peers, "images", lambda device, count: small)
    monkeypatch.setattr(methods, "images", lambda device, count: small)
    seen = []
    for case in methods.cases(CPU):
        seen.append(case.name)
        assert case.peer is not None
        assert case.agree(case.ours(), case.peer())
    assert [name for name in MODELS if not any(name in case for case in seen)] == []
    assert seen[-1] == "training step, PAA"


def test_the_share_of_products_is_that_of_convolutions():
    maps, weight = torch.rand(1, 32, 64, 64), torch.rand(32, 32, 3, 3)
    convolve = partial(nn.functional.conv2d, maps, weight)
    assert share_of_products(convolve, CPU) > 0.5
    assert share_of_products(lambda: maps.sin().cos(), CPU) == 0
    assert note(convolve, convolve, CPU).startswith("convolutions and matrix products take ")


def test_a_note_is_made_after_the_clock_has_stopped():
    calls: list[str] = []
    case = Case("case", lambda: calls.append("ours"), note=lambda: f"after {len(calls)} calls")
    measured = compare(case, Options(seconds=0.0, min_runs=3, warm_up=1, device=CPU))
    assert int(measured.note.split()[1]) >= 4


def test_plain_soft_nms_takes_classes_apart():
    given = candidates(40, 1, CPU)
    labels = torch.arange(40) % 3
    apart = [plain.soft_nms(given.boxes[labels == k], given.scores[labels == k], 0.5, 0.0)[1] for k in range(3)]
    together = plain.soft_nms_by_class(given.boxes, given.scores, labels, 0.5, 0.0)
    torch.testing.assert_close(together, torch.cat(apart).sort(descending=True).values)
    assert (plain.soft_nms_by_class(given.boxes, given.scores, labels, 0.5, 0.3) >= 0.3).all()
