"""Candidates as a detector gives them: clusters of boxes around objects, some clutter, scores that follow the fit."""

from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.raw import Raw

WIDTH, HEIGHT = 1333.0, 800.0
OBJECTS = 12


@dataclass(frozen=True)
class Candidates:
    boxes: Tensor
    scores: Tensor
    fit: Tensor
    """a localisation score"""


def candidates(count: int, seed: int, device: torch.device) -> Candidates:
    generator = torch.Generator().manual_seed(seed)
    extent = torch.tensor([WIDTH, HEIGHT])
    centre = torch.rand(OBJECTS, 2, generator=generator) * extent
    side = 40 + 300 * torch.rand(OBJECTS, 2, generator=generator)
    which = torch.randint(0, OBJECTS, (count,), generator=generator)
    shift = torch.randn(count, 2, generator=generator) * 0.15
    stretch = torch.exp(torch.randn(count, 2, generator=generator) * 0.2)
    middle, half = centre[which] + shift * side[which], side[which] * stretch / 2
    boxes = torch.cat([middle - half, middle + half], 1).clamp(min=0)
    boxes = torch.minimum(boxes, extent.repeat(2))
    fit = torch.exp(-4 * shift.square().sum(1)) * (0.8 + 0.2 * torch.rand(count, generator=generator))
    scores = (fit * torch.rand(count, generator=generator)).clamp(0.01, 0.999)
    return Candidates(boxes.to(device), scores.to(device), fit.to(device))


def raw(images: int, per_image: int, classes: int, device: torch.device) -> Raw:
    """Raw predictions of some images, with a quality called `iou`."""
    parts = [candidates(per_image, seed, device) for seed in range(images)]
    generator = torch.Generator().manual_seed(99)
    count = images * per_image
    whole = torch.arange(count, device=device)
    return Raw(
        boxes=torch.cat([part.boxes for part in parts]),
        scores=torch.cat([part.scores for part in parts]),
        labels=torch.randint(0, classes, (count,), generator=generator).to(device),
        image=whole // per_image,
        source=whole % per_image,
        level=torch.zeros_like(whole),
        num_images=images,
        quality={"iou": torch.cat([part.fit for part in parts])},
    )
