"""The functional API beside torchvision, scikit-learn and plain loops."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import torch
from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign, batched_nms, roi_align

from bench.perf import plain
from bench.perf.harness import Case, Disagreement, close
from bench.perf.scenes import candidates
from detectors.ops import fit_two_gaussians, iou_guided_nms, prroi_pool, score_vote, separate, soft_nms
from detectors.ops.groups import grouped_nms
from detectors.ops.pyramid_roi_align import pyramid_roi_align

STRIDES = (4, 8, 16, 32)
CHANNELS, RESOLUTION, CLASSES = 256, 7, 80
ROIS = 1000


def cases(device: torch.device) -> Iterator[Case]:
    yield from _pooling(device)
    for count in (1000, 5000):
        yield from _suppression(device, count)
    yield from _suppression_by_class(device)
    yield from _voting(device)
    yield from _assignment(device)


def _pooling(device: torch.device) -> Iterator[Case]:
    yield from _exact_pooling(device)
    rois = 1024 if device.type == "cuda" else 128
    side = 1024 if device.type == "cuda" else 512
    boxes = candidates(rois, 0, device).boxes * (side / 1333)
    boxes[:, 2:] = torch.maximum(boxes[:, 2:], boxes[:, :2] + 8)
    levels = [torch.randn(1, CHANNELS, side // s, side // s, device=device).requires_grad_() for s in STRIDES]
    for backward in (False, True):
        wrap = _with_backward if backward else _alone
        yield Case(
            name=f"pyramid_roi_align {rois} boxes{' + backward' if backward else ''}",
            ours=wrap(lambda: _ours_pyramid(levels, boxes), levels),
            peer=wrap(lambda: _torchvision_pyramid(levels, boxes, side), levels),
            peer_name="torchvision MultiScaleRoIAlign",
            agree=lambda ours, peer: close(ours, peer, 1e-3),
            items=rois,
            unit="box",
        )


def _exact_pooling(device: torch.device) -> Iterator[Case]:
    """Boxes as large as those that a pyramid pools from a map of stride 8."""
    generator = torch.Generator().manual_seed(0)
    sides = 112 + 112 * torch.rand(ROIS, 2, generator=generator)
    corner = torch.rand(ROIS, 2, generator=generator) * (1016 - sides)
    rois = torch.cat([torch.zeros(ROIS, 1), corner, corner + sides], 1).to(device)
    maps = [torch.randn(1, CHANNELS, 128, 128, device=device).requires_grad_()]
    for backward in (False, True):
        wrap = _with_backward if backward else _alone
        yield Case(
            name=f"prroi_pool {ROIS} boxes{' + backward' if backward else ''}",
            ours=wrap(lambda: prroi_pool(maps[0], rois, RESOLUTION, 1 / 8), maps),
            peer=wrap(lambda: roi_align(maps[0], rois, RESOLUTION, 1 / 8, 1, False), maps),
            peer_name="torchvision roi_align, a sample a bin",
            agree=lambda ours, peer: _near_sampling(maps[0].detach(), rois),
            items=ROIS,
            unit="box",
            note="another op: an exact integral, whose gradient reaches the boxes too",
        )


def _near_sampling(maps: Tensor, rois: Tensor) -> str:
    """Many samples a bin come near to the integral; a few boxes suffice."""
    sampled = roi_align(maps, rois[:8], RESOLUTION, 1 / 8, 32, False)
    return close(prroi_pool(maps, rois[:8], RESOLUTION, 1 / 8), sampled, 5e-3)


def _suppression(device: torch.device, count: int) -> Iterator[Case]:
    given = candidates(count, 1, device)
    labels = _classes(count, device)
    yield Case(
        name=f"nms {count} boxes, {CLASSES} classes",
        ours=lambda: grouped_nms(given.boxes, given.scores, labels, 0.5),
        peer=lambda: batched_nms(given.boxes, given.scores, labels, 0.5),
        peer_name="torchvision batched_nms",
        agree=_same_set,
    )
    yield Case(
        name=f"soft_nms {count} boxes, best 100",
        ours=lambda: soft_nms(given.boxes, given.scores, method="gaussian", min_score=0.05, max_keep=100),
        peer=lambda: tuple(part[:100] for part in plain.soft_nms(given.boxes, given.scores, 0.5, 0.05)),
        peer_name="plain loop",
        agree=lambda ours, peer: close(ours[1], peer[1], 1e-4),
    )
    yield Case(
        name=f"iou_guided_nms {count} boxes",
        ours=lambda: iou_guided_nms(given.boxes, given.scores, given.fit, 0.5),
        peer=lambda: plain.iou_guided_nms(given.boxes, given.scores, given.fit, 0.5),
        peer_name="plain loop",
        agree=close,
    )


def _suppression_by_class(device: torch.device, count: int = 5000) -> Iterator[Case]:
    given, labels = candidates(count, 1, device), _classes(count, device)
    yield Case(
        name=f"soft_nms {count} boxes, {CLASSES} classes",
        ours=lambda: soft_nms(given.boxes, given.scores, method="gaussian", min_score=0.05, groups=labels)[1],
        peer=lambda: plain.soft_nms_by_class(given.boxes, given.scores, labels, 0.5, 0.05),
        peer_name="plain loop",
        agree=lambda ours, peer: close(ours, peer, 1e-4),
    )
    yield Case(
        name=f"iou_guided_nms {count} boxes, {CLASSES} classes",
        ours=lambda: iou_guided_nms(given.boxes, given.scores, given.fit, 0.5, labels)[0],
        peer=lambda: batched_nms(given.boxes, given.fit, labels, 0.5),
        peer_name="torchvision batched_nms",
        agree=_same_set,
        note="another op: it also gathers the class scores of what each box suppresses",
    )


def _voting(device: torch.device) -> Iterator[Case]:
    for count in (1000, 5000):
        given = candidates(count, 1, device)
        kept = batched_nms(given.boxes, given.scores, _classes(count, device), 0.5)[:100]
        yield Case(
            name=f"score_vote {len(kept)} of {count} boxes",
            ours=partial(score_vote, kept, given.boxes, given.scores, 0.025),
            peer=partial(plain.score_vote, kept, given.boxes, given.scores, 0.025),
            peer_name="plain loop",
            agree=lambda ours, peer: close(ours, peer, 1e-4),
        )


def _assignment(device: torch.device) -> Iterator[Case]:
    """PAA's decision which candidates are positive, for a batch of 16 images as COCO has them."""
    generator = torch.Generator().manual_seed(0)
    objects, most = 112, 45
    losses = torch.rand(objects, most, generator=generator) ** 2 * 3
    valid = torch.arange(most) < torch.randint(20, most + 1, (objects, 1), generator=generator)
    ours, mask = losses.to(device), valid.to(device)
    if find_spec("sklearn") is None:
        return
    yield Case(
        name=f"PAA's assignment, {objects} objects",
        ours=lambda: separate(ours, *fit_two_gaussians(ours, mask), mask) > 0,
        peer=lambda: _sklearn_positives(losses, valid),
        peer_name="scikit-learn",
        agree=lambda here, there: close(here.cpu().double(), there.double(), 0.0),
        items=objects,
        unit="object",
    )


def _sklearn_positives(losses: Tensor, valid: Tensor) -> Tensor:
    """Scheme c object by object: the candidates up to the densest member of the lower component."""
    from sklearn.mixture import GaussianMixture

    positive = torch.zeros_like(valid)
    for row, (values, mask) in enumerate(zip(losses, valid, strict=True)):
        own, order = values[mask].double().sort()
        column = own.numpy()[:, None]
        start = {"weights_init": [0.5, 0.5], "means_init": [column[0], column[-1]], "precisions_init": [[[1.0]]] * 2}
        model = GaussianMixture(2, **start).fit(column)
        member, density = torch.from_numpy(model.predict(column)) == 0, torch.from_numpy(model.score_samples(column))
        last = int(density.where(member, -torch.inf).argmax()) if member.any() else len(own) - 1
        positive[row, mask.nonzero().squeeze(1)[order[: last + 1]]] = True
    return positive


def _classes(count: int, device: torch.device) -> Tensor:
    return torch.randint(0, CLASSES, (count,), generator=torch.Generator().manual_seed(3)).to(device)


def _ours_pyramid(levels: list[Tensor], boxes: Tensor) -> Tensor:
    pool = pyramid_roi_align(levels, STRIDES, resolution=RESOLUTION, samples=2, aligned=False)
    return pool(boxes, boxes.new_zeros(len(boxes), dtype=torch.int64), _level(boxes))


def _torchvision_pyramid(levels: list[Tensor], boxes: Tensor, side: int) -> Tensor:
    pool = MultiScaleRoIAlign([str(i) for i in range(len(levels))], RESOLUTION, 2)
    pooled: Tensor = pool({str(i): level for i, level in enumerate(levels)}, [boxes], [(side, side)])
    return pooled


def _level(boxes: Tensor) -> Tensor:
    sides = boxes[:, 2:] - boxes[:, :2]
    return torch.floor(4 + torch.log2(sides.prod(1).sqrt() / 224) + 1e-6).clamp(2, 5).long() - 2


def _alone(forward: Callable[[], Tensor], levels: list[Tensor]) -> Callable[[], Tensor]:
    def call() -> Tensor:
        with torch.no_grad():
            return forward()

    return call


def _with_backward(forward: Callable[[], Tensor], levels: list[Tensor]) -> Callable[[], list[Tensor]]:
    """The gradients of the maps that the op reads."""

    def call() -> list[Tensor]:
        for level in levels:
            level.grad = None
        forward().sum().backward()
        return [level.grad for level in levels if level.grad is not None]

    return call


def _same_set(ours: Tensor, peer: Tensor) -> str:
    if not torch.equal(ours.sort().values, peer.sort().values):
        raise Disagreement(f"{len(ours)} boxes stay here and {len(peer)} there, not the same ones")
    return "equal"
