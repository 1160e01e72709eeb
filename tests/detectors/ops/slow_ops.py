"""The ops once more, in plain Python numbers, one pair or one sample at a time, straight from the formulas."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

Box = Sequence[float]


def area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def intersection(a: Box, b: Box) -> float:
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def iou(a: Box, b: Box) -> float:
    shared = intersection(a, b)
    return ratio(shared, area(a) + area(b) - shared)


def giou(a: Box, b: Box) -> float:
    shared = intersection(a, b)
    union = area(a) + area(b) - shared
    hull = area((min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])))
    return ratio(shared, union) - ratio(hull - union, hull)


def clip(box: Box, height: float, width: float) -> list[float]:
    limits = (width, height, width, height)
    return [min(max(side, 0.0), limit) for side, limit in zip(box, limits, strict=True)]


def soft_nms(
    boxes: list[Box], scores: list[float], groups: list[int], decay: Callable[[float], float], min_score: float
) -> list[tuple[int, float]]:
    scores, left, kept = list(scores), list(range(len(boxes))), []
    while left:
        best = max(left, key=lambda i: (scores[i], -i))
        left.remove(best)
        if scores[best] < min_score:
            break
        kept.append((best, scores[best]))
        for other in left:
            if groups[other] == groups[best]:
                scores[other] *= decay(iou(boxes[best], boxes[other]))
    return sorted(kept, key=lambda entry: (-entry[1], entry[0]))


def iou_guided_nms(
    boxes: list[Box], cls: list[float], loc: list[float], groups: list[int], threshold: float
) -> list[tuple[int, float]]:
    left, kept = sorted(range(len(boxes)), key=lambda i: (-loc[i], i)), []
    while left:
        best, rest = left[0], left[1:]
        cluster = [j for j in rest if groups[j] == groups[best] and iou(boxes[best], boxes[j]) > threshold]
        kept.append((best, max(cls[j] for j in [best, *cluster])))
        left = [j for j in rest if j not in cluster]
    return kept


def score_vote(
    kept: list[int], boxes: list[Box], scores: list[float], groups: list[int], sigma: float, min_iou: float
) -> list[list[float]]:
    voted = []
    for k in kept:
        overlaps = [(j, iou(boxes[k], boxes[j])) for j in range(len(boxes)) if groups[j] == groups[k]]
        weights = [(j, scores[j] * math.exp(-((1 - o) ** 2) / sigma)) for j, o in overlaps if o > min_iou]
        total = sum(weight for _, weight in weights)
        moved = [sum(weight * boxes[j][side] for j, weight in weights) / (total or 1.0) for side in range(4)]
        voted.append(moved if total > 0 else list(boxes[k]))
    return voted


def refine(
    box: list[float],
    score_fn: Callable[[list[float]], float],
    gradient_fn: Callable[[list[float]], list[float]],
    *,
    step: float,
    steps: int,
    stop_delta: float,
    max_drop: float,
) -> list[tuple[list[float], float]]:
    """The path of one box, as Algorithm 2 walks it: where it was and its score, from the start on."""
    path = [(box, score_fn(box))]
    for _ in range(steps):
        (x1, y1, x2, y2), before = path[-1]
        sides = (x2 - x1, y2 - y1, x2 - x1, y2 - y1)
        moved = [x + step * g * s for x, g, s in zip((x1, y1, x2, y2), gradient_fn(path[-1][0]), sides, strict=True)]
        path.append((moved, score_fn(moved)))
        change = path[-1][1] - before
        if abs(change) < stop_delta or change < max_drop:
            break
    return path


def bilinear(channel: list[list[float]], y: float, x: float) -> float:
    """The map between its samples; 0 beyond them."""
    total = 0.0
    for row, values in enumerate(channel):
        for column, value in enumerate(values):
            total += value * max(0.0, 1 - abs(y - row)) * max(0.0, 1 - abs(x - column))
    return total


def bin_mean(channel: list[list[float]], y1: float, x1: float, y2: float, x2: float) -> float:
    """Between integer coordinates the map is bilinear, so each piece's integral is its middle times its area."""
    if y2 <= y1 or x2 <= x1:
        return 0.0
    total = 0.0
    for top, bottom in pieces(y1, y2):
        for left, right in pieces(x1, x2):
            middle = bilinear(channel, (top + bottom) / 2, (left + right) / 2)
            total += middle * (bottom - top) * (right - left)
    return total / ((y2 - y1) * (x2 - x1))


def pieces(low: float, high: float) -> list[tuple[float, float]]:
    cuts = [low, *(float(k) for k in range(math.floor(low) + 1, math.ceil(high))), high]
    return list(pairwise(cuts))


def separate(losses: list[float], labels: list[int], density: list[float], scheme: str) -> list[int]:
    """Figure 3 of PAA on one object's candidates."""
    order = sorted(range(len(losses)), key=lambda i: (losses[i], i))
    modes = []
    for component in (0, 1):
        members = [rank for rank, i in enumerate(order) if labels[i] == component]
        modes.append(max(members, key=lambda rank: (density[order[rank]], -rank)) if members else None)
    verdict = [0] * len(losses)
    for rank, i in enumerate(order):
        if modes[0] is None:
            verdict[i] = 1
        elif scheme == "a":
            verdict[i] = int(labels[i] == 0)
        elif rank <= modes[0]:
            verdict[i] = 1
        elif (scheme == "b" and modes[1] is not None and rank < modes[1]) or (scheme == "d" and labels[i] == 0):
            verdict[i] = -1
    return verdict


def cls_weights(
    loss: list[float], iou_: list[float], eta: float, positive: list[bool], groups: list[int]
) -> list[float]:
    weights = []
    for i, group in enumerate(groups):
        members = [j for j, other in enumerate(groups) if other == group and positive[j]]
        before = sum(loss[j] for j in members)
        after = sum(loss[j] * iou_[j] ** eta for j in members)
        weights.append(iou_[i] ** eta * (before / after if after > 0 else 1.0) if positive[i] else 1.0)
    return weights
