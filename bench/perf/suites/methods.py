"""What methods cost beside their baselines: quality branches, refinement, score voting, PAA's assignment."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

import detectors
from bench.perf.harness import Case, Disagreement, close
from bench.perf.peers import CLASSES, faster_rcnn, fcos, images, targets
from bench.perf.suites.train import training_step
from detectors import zoo
from detectors.detector import Detector
from detectors.families import two_stage
from detectors.parts.post import standard

BRANCHES = ("iou_aware_r50_fpn", "dir_r50_fpn", "iou_net_r50_fpn", "iou_net_r50_fpn_refined")
BACKGROUND = 7.0
"""The background logit is raised by this, so that about every fifth proposal has a candidate, as trained ones have."""


def cases(device: torch.device) -> Iterator[Case]:
    """The baseline is the peer: a ratio of x0.95 is a twentieth more time."""
    yield from _branches(device)
    yield from _paa(device)


def _branches(device: torch.device) -> Iterator[Case]:
    state = faster_rcnn(device).ours.state_dict()
    state["stage.head.cls.bias"][-1] += BACKGROUND
    given = images(device, 1)
    for name in BRANCHES:
        config = zoo.config(name)
        assert isinstance(config, two_stage.Config)
        base = _built(replace(config, quality=None, post=standard.Config()), state, device)
        rated = _built(config, {**state, **base.state_dict()}, device)
        yield Case(
            name=f"inference, {name}",
            ours=partial(_detect, rated, given),
            peer=partial(_detect, base, given),
            peer_name="without the branch",
            agree=partial(_same_candidates, rated, base, given),
            unit="image",
            note=f"{len(base.predict_raw(given))} candidates",
        )


def _paa(device: torch.device) -> Iterator[Case]:
    """A head of FCOS has the same layers."""
    config = zoo.config("paa_r50_fpn")
    assert isinstance(config.post, standard.Config)
    silent = replace(config, post=replace(config.post, vote=None))
    state = fcos(device).ours.state_dict()
    paa, voting = _built(silent, state, device), _built(config, state, device)
    atss = _built(replace(zoo.config("atss_r50_fpn_iou"), post=silent.post), state, device)
    given = images(device, 1)
    for name, ours, peer in (("PAA without voting", paa, atss), ("PAA with voting", voting, paa)):
        yield Case(
            name=f"inference, {name}",
            ours=partial(_detect, ours, given),
            peer=partial(_detect, peer, given),
            peer_name="ATSS" if peer is atss else "without voting",
            agree=lambda ours, peer: close([found["scores"] for found in ours], [found["scores"] for found in peer]),
            unit="image",
        )
    objects = targets(device, 1, given[0].shape)
    yield Case(
        name="training step, PAA",
        ours=training_step(paa.train(), given, objects),
        peer=training_step(atss.train(), given, objects),
        peer_name="ATSS",
        agree=lambda ours, peer: "equal weights",
        unit="image",
    )


@torch.no_grad()
def _detect(model: Detector, given: list[Tensor]) -> list[dict[str, Tensor]]:
    """Not in inference mode, from which refinement cannot take gradients."""
    found: list[dict[str, Tensor]] = model(given)
    return found


def _built(config: Any, state: dict[str, Tensor], device: torch.device) -> Detector:
    """With the weights that fit it."""
    torch.manual_seed(0)
    model = detectors.build(config, CLASSES).to(device).eval()
    mine = model.state_dict()
    fitting = {name: value for name, value in state.items() if name in mine and mine[name].shape == value.shape}
    model.load_state_dict(fitting, strict=False)
    return model


def _same_candidates(rated: Detector, base: Detector, given: list[Tensor], ours: Any, peer: Any) -> str:
    """A branch adds to raw predictions, and refinement chooses among them: it makes no class score of its own."""
    with_branch, without = rated.predict_raw(given).scores, base.predict_raw(given).scores
    if not len(with_branch) or not torch.isin(with_branch, without).all():
        raise Disagreement("there are candidates that the detector without the branch does not have")
    return "equal candidates" if len(with_branch) == len(without) else f"{len(with_branch)} of equal candidates"
