"""From raw predictions to detections beside what torchvision's detectors do, and beside plain loops."""

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from bench.perf import plain
from bench.perf.harness import Case, close
from bench.perf.scenes import raw
from detectors.parts.post import Post, standard
from detectors.parts.suppress import soft
from detectors.raw import Raw

IMAGES, PER_IMAGE = 8, 1000
THRESHOLD, IOU, MOST, SIGMA, MIN_SCORE = 0.05, 0.5, 100, 0.5, 0.05


def cases(device: torch.device) -> Iterator[Case]:
    for classes in (20, 80):
        given = raw(IMAGES, PER_IMAGE, classes, device)
        size = f"{IMAGES} x {PER_IMAGE} candidates, {classes} classes"
        boxes, scores, labels = (
            [part[given.image == image] for image in range(IMAGES)]
            for part in (given.boxes, given.scores, given.labels)
        )
        hard = standard.Config(score_threshold=THRESHOLD, max_detections=MOST).build()
        yield Case(
            name=f"standard, {size}",
            ours=partial(_ours, hard, given),
            peer=partial(plain.postprocess, boxes, scores, labels, THRESHOLD, IOU, MOST),
            peer_name="torchvision's steps",
            agree=close,
            items=IMAGES,
            unit="image",
        )
        softer = standard.Config(
            score_threshold=THRESHOLD,
            suppress=soft.Config(method="gaussian", sigma=SIGMA, min_score=MIN_SCORE),
            max_detections=MOST,
        ).build()
        yield Case(
            name=f"soft, {size}",
            ours=partial(_ours, softer, given),
            peer=partial(_plain_soft, given),
            peer_name="plain loop",
            agree=_close_scores,
            items=IMAGES,
            unit="image",
        )


def _ours(post: Post, given: Raw) -> list[dict[str, Tensor]]:
    return [{name: found[name] for name in ("boxes", "scores", "labels")} for found in post(given)]


def _close_scores(ours: list[dict[str, Tensor]], peer: list[dict[str, Tensor]]) -> str:
    return close([found["scores"] for found in ours], [found["scores"] for found in peer], 1e-4)


def _plain_soft(given: Raw) -> list[dict[str, Tensor]]:
    """Image by image and class by class."""
    found = []
    for image in range(given.num_images):
        scores = []
        for label in given.labels.unique():
            own = (given.image == image) & (given.labels == label) & (given.scores > THRESHOLD)
            if own.any():
                scores.append(plain.soft_nms(given.boxes[own], given.scores[own], SIGMA, MIN_SCORE)[1])
        found.append({"scores": torch.cat(scores).sort(descending=True).values[:MOST]})
    return found
