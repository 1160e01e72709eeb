"""The model behind scaling.md: `python docs/scaling_model.py`.

A step of N workers is one worker's step, stretched to the slowest of N, plus what of the all-reduce of the gradients
the backward pass cannot hide.
"""

from dataclasses import dataclass
from functools import cache
from math import ceil, log2
from statistics import NormalDist

import torch

import detectors

DETECTORS = ("ssd300_vgg16", "retinanet_r50_fpn", "faster_rcnn_r50_fpn", "dir_r50_fpn", "faster_rcnn_x101_64x4d_fpn")
SHOWN = "faster_rcnn_r50_fpn"
GPUS_OF_A_NODE = 8
IMAGES_OF_A_GPU = 2
# Images a second of one GPU at 800 x 1333. The first is published (detectron2's model zoo, 8 V100 at 16 images a step:
# 76 for Faster R-CNN, 78 for RetinaNet); the second is an assumption: a GPU four times as fast.
SPEEDS = {"V100": 76 / 8, "4 x V100": 4 * 76 / 8}
# What a node moves in each direction, in bytes a second, as all-reduces of many megabytes see it.
NETWORKS = {"NVLink": 150e9, "100 Gbit/s": 0.9 * 12.5e9, "25 Gbit/s": 0.8 * 3.125e9}
BACKWARD = 2 / 3
BUCKET_BYTES = 25 * 2**20
LATENCY_SECONDS = 30e-6
# Spread of one worker's steps: images differ in size and in objects. Fitted: NVIDIA's Mask R-CNN on 8 V100 with NVLink,
# where the all-reduce costs next to nothing, runs 6.3 to 7.7 times as fast as on one, 7.0 in the middle.
SPREAD = 0.10


@cache
def gradient_bytes(name: str, num_classes: int = 80) -> int:
    """What the workers of a training exchange in each step: one float32 for each number that is trained."""
    with torch.device("meta"):
        model = detectors.build(name, num_classes=num_classes)
    return 4 * sum(weights.numel() for weights in model.parameters() if weights.requires_grad)


@dataclass(frozen=True)
class Step:
    """One worker's step: its seconds, the bytes that it exchanges, and how much of it is one bucket."""

    seconds: float
    bytes: float

    def exchange(self, workers: int, bandwidth: float) -> float:
        """Seconds of a ring: every worker sends and takes 2 (N - 1) / N times the gradients."""
        if workers == 1:
            return 0.0
        latency = ceil(self.bytes / BUCKET_BYTES) * 2 * log2(workers) * LATENCY_SECONDS
        return 2 * (workers - 1) / workers * self.bytes / bandwidth + latency

    def exposed(self, workers: int, bandwidth: float) -> float:
        """The part that waits: what is longer than the backward pass, but at least the last bucket."""
        exchange = self.exchange(workers, bandwidth)
        last = exchange * min(1.0, BUCKET_BYTES / self.bytes)
        return max(last, exchange - BACKWARD * self.seconds)

    def efficiency(self, workers: int, bandwidth: float, spread: float = SPREAD) -> float:
        """Of N workers, against N times one worker."""
        return self.seconds / (self.seconds * (1 + spread * slowest_of(workers)) + self.exposed(workers, bandwidth))


def slowest_of(workers: int) -> float:
    """Mean of the largest of N normal draws, in standard deviations (Blom's approximation)."""
    return NormalDist().inv_cdf((workers - 0.375) / (workers + 0.25)) if workers > 1 else 0.0


def needed(step: Step, workers: int) -> float:
    """Bytes a second at which the backward pass just hides the all-reduce."""
    return 2 * (workers - 1) / workers * step.bytes / (BACKWARD * step.seconds)


def needs() -> list[str]:
    """What each detector exchanges, and the network of a node that hides it, on 64 GPUs."""
    lines = []
    for name in DETECTORS:
        size = gradient_bytes(name)
        steps = [Step(IMAGES_OF_A_GPU / speed, size) for speed in SPEEDS.values()]
        wanted = [f"{8 * needed(step, 64) / 1e9:.0f} Gbit/s" for step in steps]
        lines.append(f"| `{name}` | {size / 1e6:.0f} MB | {' | '.join(wanted)} |")
    return lines


def table(name: str, speed: str) -> list[str]:
    """Efficiency in percent: a column a network, a row a number of GPUs. A node's own GPUs need no network."""
    step = Step(IMAGES_OF_A_GPU / SPEEDS[speed], gradient_bytes(name))
    lines = []
    for workers in (8, 64, 512):
        inside = workers <= GPUS_OF_A_NODE
        links = [NETWORKS["NVLink"] if inside else bandwidth for bandwidth in NETWORKS.values()]
        shares = [f"{100 * step.efficiency(workers, link):.0f} %" for link in links]
        lines.append(f"| {workers} | {' | '.join(shares)} |")
    return lines


def main() -> None:
    print("| detector | gradients |", " | ".join(f"needs, {speed}" for speed in SPEEDS), "|")
    print("\n".join(needs()))
    for speed in SPEEDS:
        print(f"\n{SHOWN}, {speed}\n| GPUs | {' | '.join(NETWORKS)} |")
        print("\n".join(table(SHOWN, speed)))


if __name__ == "__main__":
    main()
