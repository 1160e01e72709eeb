"""Contexts of one training or evaluation step, made by hand, for tests of quality parts.

Features of a box are its four coordinates over 100, so a part's prediction for any box can be asked for again.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from detectors.ops import clip
from detectors.parts.anchors import Anchors
from detectors.parts.assign import IGNORED, Assignment, max_iou
from detectors.parts.proposals import Proposals
from detectors.parts.quality import RoIPrediction, RoISpec, RoITraining, image_index
from detectors.parts.sample import Samples
from detectors.raw import Raw
from detectors.targets import Targets, pad_targets

SPEC = RoISpec(channels=4, strides=(8,), resolution=1, num_classes=3)
SIZE = (90, 100)
SHIFTS = torch.tensor([[4.0, 0, 4, 0], [0, 6, 0, 6], [-9, -9, 9, 9]])
"""What the detector of these contexts does to a box of each class."""


def pool(boxes: Tensor, image: Tensor) -> Tensor:
    return (boxes / 100).view(-1, 4, 1, 1)


def regress(boxes: Tensor, image: Tensor, labels: Tensor) -> Tensor:
    return clip(boxes + SHIFTS[labels], SIZE)


def targets_of(boxes: Sequence[Sequence[Sequence[float]]], crowd: bool = False) -> Targets:
    """Objects of class 0, 1, 2, 0, ... in each image."""
    return pad_targets(
        [
            {
                "boxes": torch.tensor(list(of_image)).view(-1, 4),
                "labels": torch.arange(len(of_image)) % 3,
                "iscrowd": torch.full((len(of_image),), crowd),
            }
            for of_image in boxes
        ]
    )


def training(targets: Targets, proposals: Tensor) -> RoITraining:
    """Proposals [B, P, 4] that are all samples, too."""
    assigner = max_iou.Config().build()

    def assign(boxes: Tensor, valid: Tensor) -> Assignment:
        assignment = assigner(Anchors.of(boxes), targets)
        return Assignment(assignment.matched.masked_fill(~valid, IGNORED), assignment.iou)

    everyone = torch.ones(proposals.shape[:2], dtype=torch.bool)
    assignment = assign(proposals, everyone)
    slots = torch.arange(proposals.shape[1]).expand(proposals.shape[:2])
    samples = Samples(index=slots, matched=assignment.matched, iou=assignment.iou, valid=everyone)
    labels = samples.labels(targets).flatten()
    image = image_index(proposals).flatten()
    return RoITraining(
        features=[torch.randn(len(proposals), 4, 12, 13, generator=torch.Generator().manual_seed(0))],
        sizes=torch.tensor([SIZE] * len(proposals), dtype=torch.float32),
        targets=targets,
        proposals=Proposals(proposals, torch.rand(proposals.shape[:2]), everyone, torch.zeros_like(slots)),
        samples=samples,
        boxes=proposals,
        pooled=pool(proposals.flatten(0, 1), image),
        regressed=regress(proposals.flatten(0, 1), image, labels).view_as(proposals),
        pool=pool,
        regress=regress,
        assign=assign,
    )


def prediction(boxes: Tensor, scores: Tensor) -> RoIPrediction:
    """Proposals [N, 4] of one image with a candidate a class, scores [N, 3]."""
    proposal, labels = (
        row.flatten() for row in torch.meshgrid(torch.arange(len(boxes)), torch.arange(3), indexing="ij")
    )
    image = torch.zeros(len(boxes), dtype=torch.int64)
    raw = Raw(
        boxes=regress(boxes[proposal], image[proposal], labels),
        scores=scores.flatten(),
        labels=labels,
        image=image[proposal],
        source=proposal,
        level=torch.zeros_like(proposal),
        num_images=1,
    )
    return RoIPrediction(
        features=[torch.randn(1, 4, 12, 13, generator=torch.Generator().manual_seed(0))],
        sizes=torch.tensor([SIZE], dtype=torch.float32),
        raw=raw,
        proposal=proposal,
        boxes=boxes,
        image=image,
        best=regress(boxes, image, scores.argmax(1)),
        seen=pool(boxes, image),
        kept=torch.arange(len(boxes)),
        pool=pool,
        regress=regress,
    )


def scattered(images: int, number: int, generator: torch.Generator) -> Tensor:
    """Boxes [B, P, 4] around the middle of the image: many of them overlap."""
    corner = torch.rand(images, number, 2, generator=generator) * 40
    return torch.cat([corner, corner + 20 + torch.rand(images, number, 2, generator=generator) * 25], 2)
