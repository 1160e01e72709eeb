"""How long a study's trainings would take on one GPU: from the operations of backbone and neck, so a rough guess."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.config.digest import digest
from bench.data.formats import synthetic
from bench.data.input import InputConfig
from bench.study.definition.spec import Recipe, Row, Study
from bench.train.job import course
from detectors.deformable import DeformableConv
from detectors.parts.backbone import BackboneConfig
from detectors.parts.neck import NeckConfig

OFFICIAL_IMAGES = {"coco": 118_287, "voc": 16_551, "cityscapes": 2_975}
"""Training images of the usual splits, for data that are not prepared yet."""
OTHER_IMAGES = 2_000
FORWARD_AND_BACKWARD = 3.0
BESIDE_BACKBONE_AND_NECK = 1.5
"""Heads, sampling and losses take about half as much again."""
SECONDS_A_TERAFLOP = 0.1
"""Ten effective teraflops: what a data-centre GPU gives such detectors without mixed precision."""


@dataclass(frozen=True)
class Estimate:
    trainings: int
    gpu_hours: float


def estimate(study: Study, images: int | None = None) -> Estimate:
    """Trainings of all seeds, each counted once; `images` of the training split where they are known."""
    work = [training_teraflops(recipe, images) for recipe in trainings(study.rows).values()]
    seeds = len(study.seeds)
    return Estimate(len(work) * seeds, sum(work) * seeds * SECONDS_A_TERAFLOP / 3600)


def training_teraflops(recipe: Recipe, images: int | None = None) -> float:
    """Trillions of operations of a whole training."""
    train = recipe.train
    per_epoch = max(1, (images or _images(recipe.data)) // train.batch_size)
    height, width = _shape(recipe)
    detector: Any = recipe.detector
    forward = _teraflops(detector.backbone, detector.neck, height, width) if hasattr(detector, "backbone") else 0.0
    iterations = train.last_iteration(train.total_iterations(per_epoch))
    return iterations * train.batch_size * forward * FORWARD_AND_BACKWARD * BESIDE_BACKBONE_AND_NECK


def trainings(rows: Iterable[Row]) -> dict[str, Recipe]:
    """By identity: rows that share one have it once."""
    recipes = [row.recipe for row in rows]
    return {digest(one.data, *course(one.detector, one.input, one.train), one.train.until): one for one in recipes}


def _images(data: Any) -> int:
    if isinstance(data, synthetic.Config):
        return data.count("train")
    return OFFICIAL_IMAGES.get(data.kind, OTHER_IMAGES)


def _shape(recipe: Recipe) -> tuple[int, int]:
    """A photograph of 3 x 2, resized; images that stay as they are take the synthetic scenes' size, or VGA."""
    rules: InputConfig = recipe.input
    if rules.mode == "as_is":
        data = recipe.data
        return (data.style().size,) * 2 if isinstance(data, synthetic.Config) else (480, 640)
    height, width = rules.target_size(480, 720, rules.eval_size())
    return -(-height // 32) * 32, -(-width // 32) * 32


@cache
def _teraflops(backbone_config: BackboneConfig, neck_config: NeckConfig, height: int, width: int) -> float:
    """Forward, for one image, of convolutions and matrices; tensors without memory suffice to count."""
    with torch.device("meta"):
        backbone = backbone_config.build().eval()
        neck = neck_config.build(backbone.channels, backbone.strides).eval()
    unknown_to_torch = []

    def count(layer: Any, inputs: Any, output: torch.Tensor) -> None:
        unknown_to_torch.append(2 * output.numel() * layer.weight[0].numel())

    for module in (*backbone.modules(), *neck.modules()):
        if isinstance(module, DeformableConv):
            module.register_forward_hook(count)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        neck(backbone(torch.empty(1, 3, height, width, device="meta")))
    return (counter.get_total_flops() + sum(unknown_to_torch)) / 1e12
