"""What kind of error costs how much AP: the six types of TIDE, each worth the AP that mending it alone would give.

An error mends itself by changing what the matches say: the detection becomes right or goes away, or the missed
object goes away.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bench.score.protocols.coco import ABSENT
from bench.score.protocols.matching import NO_MATCH, Matches, match
from bench.score.resampling.weighted_ap import WeightedAP, mean_present
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from bench.score.tables.pairs import Pairs, overlapping

FOREGROUND, BACKGROUND = 0.5, 0.1
TYPES = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")
TRUE, SKIPPED = "", "ignored"


@dataclass(frozen=True)
class Errors:
    """Every detection's type of error, beside the matches at one IoU threshold, and what each type costs."""

    matches: Matches
    kind: np.ndarray
    """[D] of strings: one of TYPES, "" for a right detection, "ignored" for one that does not count"""
    target: np.ndarray
    """[D] the object that a Cls or Loc error should have found, else -1"""
    missed: np.ndarray
    """objects that nobody found, not even badly"""
    ap: float
    cost: dict[str, float]
    """type, `FalsePos` or `FalseNeg` -> AP gained when all such errors are mended"""

    def count(self) -> dict[str, int]:
        return {kind: int((self.kind == kind).sum()) for kind in TYPES[:-1]} | {"Miss": len(self.missed)}


def errors(
    truth: GroundTruth,
    detections: Detections,
    *,
    foreground: float = FOREGROUND,
    background: float = BACKGROUND,
    masks: bool = False,
) -> Errors:
    matches = match(truth, detections, thresholds=np.array([foreground]), masks=masks)
    kind, target = _kinds(truth, detections.select(matches.detection), matches, foreground, background, masks)
    found = np.zeros(len(truth), bool)
    hit = matches.true[0]
    found[matches.matched[0, hit]] = True
    nearly = np.zeros(len(truth), bool)
    nearly[target[target >= 0]] = True
    missed = np.flatnonzero(~found & ~nearly & ~truth.iscrowd)
    before = _ap(matches)
    wrong = Errors(matches, kind, target, missed, before, {})
    mended = {name: mend(truth, wrong, found) for name, mend in _MENDS.items()}
    return replace(
        wrong, cost={name: _ap(after) - before if before > ABSENT else 0.0 for name, after in mended.items()}
    )


def _kinds(
    truth: GroundTruth, chosen: Detections, matches: Matches, foreground: float, background: float, masks: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Tested in TIDE's order: Loc, Cls, Dupe, Bkg, and Both for the rest."""
    pairs = overlapping(truth, chosen, min_iou=1e-12, same_class=False, masks=masks)
    pairs = pairs.select(~truth.iscrowd[pairs.truth])
    same = truth.labels[pairs.truth] == chosen.labels[pairs.detection]
    iou_same, target_same = _best(pairs.select(same), len(chosen))
    iou_other, target_other = _best(pairs.select(~same), len(chosen))
    loc = (iou_same >= background) & (iou_same <= foreground)
    cls = iou_other >= foreground
    dupe = iou_same >= foreground
    bkg = np.maximum(iou_same, iou_other) <= background
    kind = np.select([matches.true[0], matches.ignored[0], loc, cls, dupe, bkg], [TRUE, SKIPPED, *_TESTED], "Both")
    target = np.select([kind == "Loc", kind == "Cls"], [target_same, target_other], NO_MATCH)
    return kind, target


_TESTED = ("Loc", "Cls", "Dupe", "Bkg")


def _best(pairs: Pairs, num: int) -> tuple[np.ndarray, np.ndarray]:
    iou, target = np.zeros(num), np.full(num, NO_MATCH)
    pairs = pairs.select(np.lexsort((-pairs.truth, pairs.iou, pairs.detection)))
    iou[pairs.detection], target[pairs.detection] = pairs.iou, pairs.truth
    return iou, target


def _ap(matches: Matches) -> float:
    return mean_present(WeightedAP(matches).ap(np.ones(matches.num_images, np.int64)))


def _drop(kind: str) -> Callable[[GroundTruth, Errors, np.ndarray], Matches]:
    """The detections go away."""

    def mend(truth: GroundTruth, wrong: Errors, found: np.ndarray) -> Matches:
        return _without(wrong.matches, wrong.kind == kind)

    return mend


def _correct(kind: str) -> Callable[[GroundTruth, Errors, np.ndarray], Matches]:
    """The best-ranked detection, among those with a Cls or a Loc error, of an object that nobody found becomes right.

    The others go away.
    """

    def mend(truth: GroundTruth, wrong: Errors, found: np.ndarray) -> Matches:
        matches = wrong.matches
        nearly = np.flatnonzero(wrong.target != NO_MATCH)
        nearly = nearly[np.argsort(-matches.score[nearly], kind="stable")]
        free = nearly[~found[wrong.target[nearly]]]
        _, first = np.unique(wrong.target[free], return_index=True)
        right = free[first]
        right = right[wrong.kind[right] == kind]
        matched, label = matches.matched.copy(), matches.label.copy()
        matched[0, right] = wrong.target[right]
        label[right] = truth.labels[wrong.target[right]]
        away = wrong.kind == kind
        away[right] = False
        return _resorted(_without(replace(matches, matched=matched, label=label), away))

    return mend


def _no_false_positives(truth: GroundTruth, wrong: Errors, found: np.ndarray) -> Matches:
    return _without(wrong.matches, (wrong.kind != TRUE) & (wrong.kind != SKIPPED))


def _without_missed(truth: GroundTruth, wrong: Errors, found: np.ndarray) -> Matches:
    return _only_objects(truth, wrong.matches, ~np.isin(np.arange(len(truth)), wrong.missed))


def _no_false_negatives(truth: GroundTruth, wrong: Errors, found: np.ndarray) -> Matches:
    return _only_objects(truth, wrong.matches, found)


_MENDS: dict[str, Callable[[GroundTruth, Errors, np.ndarray], Matches]] = {
    "Cls": _correct("Cls"),
    "Loc": _correct("Loc"),
    "Both": _drop("Both"),
    "Dupe": _drop("Dupe"),
    "Bkg": _drop("Bkg"),
    "Miss": _without_missed,
    "FalsePos": _no_false_positives,
    "FalseNeg": _no_false_negatives,
}


def _only_objects(truth: GroundTruth, matches: Matches, kept: np.ndarray) -> Matches:
    """Only these objects count as to be found."""
    kept = kept & ~truth.iscrowd
    return replace(matches, positive_image=truth.image[kept], positive_label=truth.labels[kept])


def _without(matches: Matches, away: np.ndarray) -> Matches:
    return _reordered(matches, np.flatnonzero(~away))


def _resorted(matches: Matches) -> Matches:
    return _reordered(matches, np.lexsort((-matches.score, matches.label)))


def _reordered(matches: Matches, order: np.ndarray) -> Matches:
    columns = {name: getattr(matches, name)[order] for name in ("detection", "image", "label", "score", "rank")}
    return replace(matches, **columns, matched=matches.matched[:, order], ignored=matches.ignored[:, order])
