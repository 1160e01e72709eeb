"""Inference from pixels to detections beside torchvision, same weights, one image at a time and in batches."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bench.perf import products
from bench.perf.harness import Case, Disagreement
from bench.perf.peers import images, pairs

TOLERANCE = 1e-3
BORDERLINE = 0.98
"""Share of the detections that both must have: scores that are equal but for rounding change places."""


def cases(device: torch.device) -> Iterator[Case]:
    for make in pairs(device):
        pair = make()
        pair.ours.eval(), pair.theirs.eval()
        for count in (1, 8) if device.type == "cuda" else (1,):
            given = images(device, count)
            ours, peer = partial(detect, pair.ours, given), partial(detect, pair.theirs, given)
            yield Case(
                name=f"{pair.name} batch {count} {tuple(given[0].shape[1:])}",
                ours=ours,
                peer=peer,
                peer_name=pair.peer_name,
                agree=same_detections,
                items=count,
                unit="image",
                note=partial(products.note, ours, peer, device),
            )


@torch.inference_mode()
def detect(model: Any, given: list[Tensor]) -> list[dict[str, Tensor]]:
    found: list[dict[str, Tensor]] = model(given)
    return found


def same_detections(ours: list[dict[str, Tensor]], theirs: list[dict[str, Tensor]]) -> str:
    """Each of theirs must be among ours: class, score and box."""
    shares = [_found(here, there) for here, there in zip(ours, theirs, strict=True)]
    share = sum(shares) / len(shares)
    if share < BORDERLINE:
        raise Disagreement(f"only {share:.1%} of the detections agree")
    return f"{share:.0%} of {sum(len(there['scores']) for there in theirs)} detections"


def _found(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    if not len(theirs["scores"]):
        raise Disagreement("the peer detects nothing: there is nothing to compare")
    if not len(ours["scores"]):
        return 0.0
    scale = theirs["boxes"].abs().max()
    here = torch.cat([ours["boxes"] / scale, ours["scores"][:, None], ours["labels"][:, None].float() + 1], 1)
    there = torch.cat([theirs["boxes"] / scale, theirs["scores"][:, None], theirs["labels"][:, None].float()], 1)
    apart = (here[:, None] - there).abs().amax(-1)
    return float((apart.amin(0) < TOLERANCE).float().mean())
