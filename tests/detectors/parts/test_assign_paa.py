"""PAA, fixed numbers and fixed ranges against slow references, the mixture by scikit-learn; and FACTS of edge cases."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from sklearn.mixture import GaussianMixture
from slow_boxes import covered, iou, random_targets
from torch import Tensor

from detectors.parts.anchors import Anchors
from detectors.parts.anchors.grid import Config as Grid
from detectors.parts.assign import BACKGROUND, IGNORED, AnchorLoss, Assignment, Cost, fnp, fsr, paa
from detectors.targets import Targets, pad_targets

pytestmark = pytest.mark.filterwarnings("ignore:Number of distinct clusters")

ANCHORS = Grid(sizes=((24,), (48,)), ratios=(1.0,)).build()([(12, 12), (6, 6)], (96, 96), torch.device("cpu"))


def given(losses: Tensor, loc: Tensor | None = None) -> Cost:
    return lambda _: AnchorLoss(cls=losses, loc=torch.zeros_like(losses) if loc is None else loc)


def slow_candidates(target: dict[str, Tensor], config: Any) -> list[int]:
    """Slot of the object that each anchor may answer for."""
    anchors, boxes = ANCHORS.boxes.tolist(), target["boxes"].tolist()
    objects = [slot for slot, crowd in enumerate(target["iscrowd"].tolist()) if not crowd]
    overlap = {slot: [iou(anchor, boxes[slot]) for anchor in anchors] for slot in objects}
    owner = []
    for a in range(len(anchors)):
        best = max(objects, key=lambda slot: overlap[slot][a], default=BACKGROUND)
        eligible = best >= 0 and overlap[best][a] >= config.candidate_iou
        claims = [slot for slot in objects if overlap[slot][a] == max(overlap[slot]) > 0]
        owner.append(claims[-1] if claims else best if eligible else BACKGROUND)
    return owner


def slow_paa(losses: list[float], level: list[int], config: paa.Config) -> dict[int, int]:
    """One object's candidates (their losses and levels, by position) -> verdicts of the positives and the ignored."""
    kept = []
    for wanted in sorted(set(level)):
        of_level = [i for i, at in enumerate(level) if at == wanted]
        kept += sorted(of_level, key=lambda i: losses[i])[: config.topk]
    kept.sort(key=lambda i: losses[i])
    values = [[losses[i]] for i in kept]
    if len(kept) == 1:
        return {kept[0]: 1} if config.single_positive else {}
    mixture = GaussianMixture(
        2, weights_init=[0.5, 0.5], means_init=[min(values), max(values)], precisions_init=[[[1.0]], [[1.0]]]
    ).fit(values)
    label, density = mixture.predict(values), mixture.score_samples(values)
    member = {k: [rank for rank in range(len(kept)) if label[rank] == k] for k in (0, 1)}
    if not member[0]:
        return dict.fromkeys(kept, 1)
    mode = {k: max(ranks, key=lambda rank: density[rank]) for k, ranks in member.items() if ranks}
    verdicts = {}
    for rank, i in enumerate(kept):
        if config.scheme == "a":
            verdict = int(label[rank] == 0)
        elif rank <= mode[0]:
            verdict = 1
        elif config.scheme == "b":
            verdict = -1 if 1 in mode and rank < mode[1] else 0
        else:
            verdict = -1 if config.scheme == "d" and label[rank] == 0 else 0
        verdicts[i] = verdict
    return verdicts


def slow(
    target: dict[str, Tensor], losses: list[float], config: Any, judge: Callable[..., dict[int, int]]
) -> list[int]:
    owner = slow_candidates(target, config)
    matched = [BACKGROUND] * len(owner)
    for slot in range(len(target["boxes"])):
        mine = [a for a, at in enumerate(owner) if at == slot]
        if mine:
            verdicts = judge([losses[a] for a in mine], [int(ANCHORS.level[a]) for a in mine], config)
            for position, verdict in verdicts.items():
                matched[mine[position]] = {1: slot, -1: IGNORED, 0: BACKGROUND}[verdict]
    return matched


def cases(seed: int) -> tuple[list[dict[str, Tensor]], Targets, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    listed, targets = random_targets(generator, images=2, most=4)
    targets = pad_targets([{**target, "boxes": target["boxes"].double()} for target in listed])
    shape = [2, len(ANCHORS)]
    return listed, targets, torch.rand(shape, generator=generator, dtype=torch.float64) * (0.3 if seed % 3 == 0 else 4)


def beside_crowds(matched: list[int], target: dict[str, Tensor]) -> list[int]:
    """The crowd rule has tests of its own: what lies within a crowd and is not positive counts as background here."""
    crowds = [box for box, crowd in zip(target["boxes"].tolist(), target["iscrowd"].tolist(), strict=True) if crowd]
    inside = [any(covered(anchor, crowd) >= 1 for crowd in crowds) for anchor in ANCHORS.boxes.tolist()]
    return [BACKGROUND if within and at < 0 else at for at, within in zip(matched, inside, strict=True)]


def assert_equal(found: Assignment, listed: list[dict[str, Tensor]], losses: Tensor, config: Any, judge: Any) -> None:
    assert config.crowd_coverage == 1.0
    for image, target in enumerate(listed):
        expected = slow(target, losses[image].tolist(), config, judge)
        assert beside_crowds(found.matched[image].tolist(), target) == beside_crowds(expected, target)


@pytest.mark.parametrize("fields", [{"scheme": s} for s in "abcd"] + [{"topk": 4, "single_positive": False}])
def test_paa_equals_the_slow_reference(fields: dict[str, Any]) -> None:
    config = paa.Config(crowd_coverage=1.0, rescue=False, **fields)
    assigner = config.build()
    for seed in range(30):
        listed, targets, losses = cases(seed)
        found = assigner(ANCHORS, targets, given(losses))
        assert_equal(found, listed, losses, config, slow_paa)


def slow_fnp(losses: list[float], level: list[int], config: fnp.Config) -> dict[int, int]:
    return dict.fromkeys(sorted(range(len(losses)), key=lambda i: losses[i])[: config.count], 1)


def slow_fsr(losses: list[float], level: list[int], config: fsr.Config) -> dict[int, int]:
    return {i: 1 for i, loss in enumerate(losses) if math.exp(-loss) > config.score}


RIVALS: list[tuple[str, dict[str, Any]]] = [
    ("fnp", {}),
    ("fnp", {"count": 3}),
    ("fsr", {}),
    ("fsr", {"score": 0.5}),
]


@pytest.mark.parametrize(("kind", "fields"), RIVALS)
def test_rivals_equal_their_slow_references(kind: str, fields: dict[str, Any]) -> None:
    config = {"fnp": fnp, "fsr": fsr}[kind].Config(crowd_coverage=1.0, rescue=False, **fields)
    judge = {"fnp": slow_fnp, "fsr": slow_fsr}[kind]
    assigner = config.build()
    for seed in range(110):
        listed, targets, losses = cases(seed)
        assert_equal(assigner(ANCHORS, targets, given(losses)), listed, losses, config, judge)


def decide(losses: list[float], **fields: Any) -> list[int]:
    assigner = paa.Config(**fields).build()
    assert isinstance(assigner, paa.PAA)
    values = torch.tensor([losses], dtype=torch.float64)
    return assigner.decide(values, values < torch.inf)[0].tolist()


def test_two_clusters_part_at_the_mode_of_the_better_one() -> None:
    losses = [0.1, 0.2, 0.21, 0.3, 5.0, 5.1, 5.2]
    verdicts = decide(losses)
    assert verdicts[4:] == [0, 0, 0]
    assert 1 <= sum(verdicts) <= 4
    assert -1 not in verdicts


@pytest.mark.parametrize("losses", [[0.3, 0.9], [0.5] * 9, [0.5] * 2, [0.0, 1e-9]])
def test_two_candidates_and_equal_losses_give_one_positive(losses: list[float]) -> None:
    assert decide(losses) == [1] + [0] * (len(losses) - 1)


def test_a_single_candidate_follows_the_policy() -> None:
    inf = math.inf
    assert decide([inf, 0.7, inf]) == [0, 1, 0]
    assert decide([inf, 0.7, inf], single_positive=False) == [0, 0, 0]
    assert decide([inf, inf]) == [0, 0]


def test_losses_that_are_no_numbers_are_negatives() -> None:
    assert decide([math.nan, 0.1, 0.2, 9.0])[0] == 0
    assert decide([math.nan, math.nan]) == [0, 0]


def objects(boxes: list[list[float]]) -> Targets:
    return pad_targets([{"boxes": torch.tensor(boxes), "labels": torch.zeros(len(boxes), dtype=torch.int64)}])


def test_box_losses_count_by_their_factor() -> None:
    targets = objects([[10, 10, 40, 40]])
    generator = torch.Generator().manual_seed(0)
    cls, loc = torch.rand(2, 1, len(ANCHORS), generator=generator).unbind()
    factored = paa.Config(loc_factor=1.3).build()(ANCHORS, targets, given(cls, loc))
    summed = paa.Config().build()(ANCHORS, targets, given(cls + 1.3 * loc))
    assert torch.equal(factored.matched, summed.matched)
    assert not torch.equal(factored.matched, paa.Config().build()(ANCHORS, targets, given(cls, loc)).matched)


@pytest.mark.parametrize("low_quality", ["none", "preferred", "claimed"])
def test_a_tiny_object_that_overlaps_too_little_is_rescued(low_quality: Any) -> None:
    targets = objects([[30.2, 30.1, 31.4, 31.6]])
    losses = given(torch.rand(1, len(ANCHORS)))
    assert paa.Config(low_quality=low_quality).build()(ANCHORS, targets, losses).positive.any()
    unrescued = paa.Config(low_quality=low_quality, rescue=False).build()(ANCHORS, targets, losses)
    assert unrescued.positive.any() == (low_quality != "none")


def test_every_one_of_many_tiny_objects_is_answered_for() -> None:
    targets = objects([[16 * i + 2, 16 * j + 2, 16 * i + 4, 16 * j + 5] for i in range(6) for j in range(6)])
    found = paa.Config(low_quality="none").build()(ANCHORS, targets, given(torch.rand(1, len(ANCHORS))))
    assert set(found.matched[0].tolist()) >= set(range(36))


def test_the_same_object_twice_leaves_no_anchor_to_both() -> None:
    targets = objects([[10, 10, 40, 40]] * 2)
    found = paa.Config().build()(ANCHORS, targets, given(torch.rand(1, len(ANCHORS))))
    assert {0, 1} <= set(found.matched[0].tolist())


def test_without_objects_all_is_background() -> None:
    empty = pad_targets([{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}] * 2)
    for kind in (paa, fnp, fsr):
        found = kind.Config().build()(ANCHORS, empty, given(torch.rand(2, len(ANCHORS))))
        assert (found.matched == BACKGROUND).all()


def test_no_anchors_give_an_empty_assignment() -> None:
    nothing = Anchors.of(torch.zeros(0, 4))
    for kind in (paa, fnp, fsr):
        found = kind.Config().build()(nothing, objects([[1, 1, 9, 9]]), given(torch.zeros(1, 0)))
        assert found.matched.shape == (1, 0)


def test_an_assigner_that_asks_the_network_says_so_where_there_is_none() -> None:
    with pytest.raises(ValueError, match=r"assigner.kind = 'paa' asks the network for losses"):
        paa.Config().build()(ANCHORS, objects([[1, 1, 9, 9]]))
