"""A training step beside torchvision: forward, losses, backward, SGD; from equal weights."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from bench.perf import products
from bench.perf.harness import Case
from bench.perf.peers import Pair, images, pairs, targets
from bench.perf.suites.infer import same_detections
from bench.train.config import TrainConfig
from bench.train.optimizer import build_optimizer

CONFIG = TrainConfig(lr=1e-6)
"""So small a rate that the work stays that of the first step."""


def cases(device: torch.device) -> Iterator[Case]:
    for make in pairs(device):
        for amp in (False, True) if device.type == "cuda" else (False,):
            pair = make()
            count = 8 if device.type == "cuda" else 1
            given = images(device, count)
            objects = targets(device, count, given[0].shape)
            detections = _check(pair, given)
            ours = training_step(pair.ours, given, objects, amp)
            peer = training_step(pair.theirs, given, [_from_one(target) for target in objects], amp)
            yield Case(
                name=f"{pair.name} batch {count} {tuple(given[0].shape[1:])}{' bf16' if amp else ''}",
                ours=ours,
                peer=peer,
                peer_name=pair.peer_name,
                agree=partial(_agreed, detections),
                items=count,
                unit="image",
                note=partial(products.note, ours, peer, device),
            )


@torch.no_grad()
def _check(pair: Pair, given: list[Tensor]) -> str:
    """Losses are of random samples, so it is the detections that have to agree."""
    pair.ours.eval(), pair.theirs.eval()
    agreement = same_detections(pair.ours(given), pair.theirs(given))
    pair.ours.train(), pair.theirs.train()
    return agreement


def training_step(
    model: nn.Module, given: list[Tensor], objects: list[dict[str, Tensor]], amp: bool = False
) -> Callable[[], None]:
    optimizer = build_optimizer(model, CONFIG)

    def step() -> None:
        with torch.autocast(given[0].device.type, torch.bfloat16, enabled=amp):
            losses = model(given, objects)
        optimizer.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        optimizer.step()

    return step


def _agreed(detections: str, ours: None, peer: None) -> str:
    return detections


def _from_one(target: dict[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's label 0 is the background."""
    return target | {"labels": target["labels"] + 1}
