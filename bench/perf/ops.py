"""The functional API beside torchvision, scikit-learn and plain loops."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec

import torch
from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign, batched_nms, roi_align

from bench.perf import plain
from bench.perf.harness import Case, Disagreement, close
from bench.perf.scenes import candidates
from detectors.ops import fit_two_gaussians, iou_guided_nms, prroi_pool, score_vote, soft_nms
from detectors.ops.groups import grouped_nms
from detectors.ops.pyramid_roi_align import pyramid_roi_align

STRIDES = (4, 8, 16, 32)
CHANNELS, RESOLUTION, CLASSES = 256, 7, 80


def cases(device: torch.device) -> Iterator[Case]:
    yield from _pooling(device)
    for count in (1000, 5000):
        yield from _suppression(device, count)
    yield from _mixture(device)


def _pooling(device: torch.device) -> Iterator[Case]:
    rois = 1024 if device.type == "cuda" else 128
    side = 1024 if device.type == "cuda" else 512
    boxes = candidates(rois, 0, device).boxes * (side / 1333)
    boxes[:, 2:] = torch.maximum(boxes[:, 2:], boxes[:, :2] + 8)
    with_image = torch.cat([boxes.new_zeros(rois, 1), boxes], 1)
    levels = [torch.randn(1, CHANNELS, side // s, side // s, device=device).requires_grad_() for s in STRIDES]
    note = "another op: PrRoI pooling is exact, and its gradient reaches the boxes"
    for backward in (False, True):
        wrap = _with_backward if backward else _alone
        yield Case(
            name=f"prroi_pool {rois} boxes{' + backward' if backward else ''}",
            ours=wrap(lambda: prroi_pool(levels[1], with_image, RESOLUTION, 1 / 8), levels),
            peer=wrap(lambda: roi_align(levels[1], with_image, RESOLUTION, 1 / 8, 2, True), levels),
            peer_name="torchvision roi_align",
            agree=lambda ours, peer: "another op",
            items=rois,
            unit="box",
            note=note,
        )
        yield Case(
            name=f"pyramid_roi_align {rois} boxes{' + backward' if backward else ''}",
            ours=wrap(lambda: _ours_pyramid(levels, boxes), levels),
            peer=wrap(lambda: _torchvision_pyramid(levels, boxes, side), levels),
            peer_name="torchvision MultiScaleRoIAlign",
            agree=lambda ours, peer: close(ours, peer, 1e-3),
            items=rois,
            unit="box",
        )


def _suppression(device: torch.device, count: int) -> Iterator[Case]:
    given = candidates(count, 1, device)
    labels = torch.randint(0, CLASSES, (count,), generator=torch.Generator().manual_seed(3)).to(device)
    kept = batched_nms(given.boxes, given.scores, labels, 0.5)[:100]
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
    yield Case(
        name=f"score_vote {len(kept)} of {count} boxes",
        ours=lambda: score_vote(kept, given.boxes, given.scores, 0.025),
        peer=lambda: plain.score_vote(kept, given.boxes, given.scores, 0.025),
        peer_name="plain loop",
        agree=lambda ours, peer: close(ours, peer, 1e-4),
    )


def _mixture(device: torch.device) -> Iterator[Case]:
    generator = torch.Generator().manual_seed(0)
    objects, most = 16, 45
    losses = torch.rand(objects, most, generator=generator) ** 2 * 3
    valid = torch.arange(most) < torch.randint(20, most + 1, (objects, 1), generator=generator)
    ours, mask = losses.to(device), valid.to(device)
    if find_spec("sklearn") is None:
        return
    yield Case(
        name=f"fit_two_gaussians {objects} objects",
        ours=lambda: fit_two_gaussians(ours, mask)[0],
        peer=lambda: _sklearn_labels(losses, valid),
        peer_name="scikit-learn",
        agree=lambda here, there: close(here.cpu().double(), there.double(), 0.0),
        items=objects,
        unit="object",
    )


def _sklearn_labels(losses: Tensor, valid: Tensor) -> Tensor:
    from sklearn.mixture import GaussianMixture

    labels = torch.full(losses.shape, -1)
    for row, (values, mask) in enumerate(zip(losses, valid, strict=True)):
        own = values[mask].double().numpy()[:, None]
        start = {"weights_init": [0.5, 0.5], "means_init": [own.min(0), own.max(0)], "precisions_init": [[[1.0]]] * 2}
        model = GaussianMixture(2, **start)
        labels[row, mask] = torch.from_numpy(model.fit(own).predict(own)).long()
    return labels


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
