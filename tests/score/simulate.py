"""Random data sets and detections for tests of scoring."""

import numpy as np
import torch

from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from detectors.raw import Raw


def random_truth(rng: np.random.Generator, *, images: int = 12, objects: int = 60, classes: int = 3) -> GroundTruth:
    """Objects of all of COCO's sizes, some crowds, some difficult; some images and perhaps classes stay empty."""
    corner = rng.integers(0, 300, (objects, 2))
    sides = rng.integers(4, 200, (objects, 2))
    xywh = np.concatenate([corner, sides], axis=1).astype(np.float64)
    return GroundTruth(
        image_ids=rng.permutation(images) * 3 + 1,
        sizes=np.full((images, 2), 512),
        image=rng.integers(0, max(images - 2, 1), objects),
        xywh=xywh,
        labels=rng.integers(0, classes, objects),
        area=xywh[:, 2] * xywh[:, 3] * rng.uniform(0.4, 1, objects),
        iscrowd=rng.random(objects) < 0.1,
        difficult=rng.random(objects) < 0.15,
        class_names=tuple(f"class {k}" for k in range(classes)),
        class_ids=tuple(range(1, classes + 1)),
    )


def random_detections(
    rng: np.random.Generator, truth: GroundTruth, *, near: int = 150, far: int = 60, ties: bool = True
) -> Detections:
    """Moved copies of the objects, some with another class, among random boxes; many scores are equal."""
    target = rng.integers(0, len(truth), near) if len(truth) else np.zeros(0, np.int64)
    moved = truth.boxes[target] + rng.normal(0, 0.12, (len(target), 4)) * np.tile(truth.xywh[target, 2:], 2)
    corner = rng.uniform(0, 300, (far, 2))
    boxes = np.concatenate([moved, np.concatenate([corner, corner + rng.uniform(5, 150, (far, 2))], axis=1)])
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    right = rng.random(len(target)) < 0.8
    labels = np.where(right, truth.labels[target], rng.integers(0, truth.num_classes, len(target)))
    scores = rng.random(len(boxes))
    iou = rng.random(len(boxes))
    order = rng.permutation(len(boxes))
    return Detections.from_boxes(
        truth.num_images,
        np.concatenate([truth.image[target], rng.integers(0, truth.num_images, far)])[order],
        boxes[order],
        np.round(scores, 1 if ties else 9)[order],
        np.concatenate([labels, rng.integers(0, truth.num_classes, far)])[order],
        cls=scores[order],
        quality={"iou": iou[order]},
    )


def random_raw(seed: int, *, images: int, classes: int, sources: int = 40) -> Raw:
    """Clusters of candidates around a few places, several classes a box, with qualities."""
    draw = torch.Generator().manual_seed(seed)
    number = images * sources
    centre = torch.rand(images, 6, 2, generator=draw) * 200 + 20
    which = torch.randint(0, 6, (images, sources), generator=draw)
    middle = centre.gather(1, which[..., None].expand(-1, -1, 2)).reshape(number, 2)
    middle = middle + torch.randn(number, 2, generator=draw) * 4
    half = 15 + torch.rand(number, 2, generator=draw) * 10
    boxes = torch.cat([middle - half, middle + half], 1)
    source = torch.arange(number).repeat_interleave(classes)
    return Raw(
        boxes=boxes[source],
        scores=torch.rand(len(source), generator=draw),
        labels=torch.arange(classes).repeat(number),
        image=source // sources,
        source=source % sources,
        level=source % sources % 3,
        num_images=images,
        quality={"iou": torch.rand(number, generator=draw)[source]},
    )
