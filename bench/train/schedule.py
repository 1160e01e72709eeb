"""The learning rate as a function of the step alone: nothing to save, nothing to restore."""

import math
from bisect import bisect_right

from bench.train.config import TrainConfig


def learning_rate(config: TrainConfig, iteration: int, total: int, per_epoch: int) -> float:
    """The rate of step `iteration`, counted from 0, of a run of `total` steps with `per_epoch` steps an epoch."""
    return config.peak_lr * _warmup(config, iteration, total) * _decay(config, iteration, total, per_epoch)


def warmup_iterations(config: TrainConfig, total: int) -> int:
    """A run that is too short for its warm-up spends half of itself on it."""
    return min(config.warmup_iterations, total // 2)


def _warmup(config: TrainConfig, iteration: int, total: int) -> float:
    steps = warmup_iterations(config, total)
    if iteration >= steps:
        return 1.0
    if config.warmup == "constant":
        return config.warmup_factor
    return config.warmup_factor + (1.0 - config.warmup_factor) * iteration / steps


def _decay(config: TrainConfig, iteration: int, total: int, per_epoch: int) -> float:
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "cosine":
        start = warmup_iterations(config, total)
        progress = max(0, iteration - start) / max(1, total - start)
        return config.final_factor + (1.0 - config.final_factor) * 0.5 * (1.0 + math.cos(math.pi * progress))
    steps = [round(m * (total if m < 1 else per_epoch)) for m in config.milestones]
    return config.gamma ** bisect_right(steps, iteration)
