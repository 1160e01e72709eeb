"""Randomness as a function of (seed, step): a resumed run draws what the unbroken one draws, on any number of workers."""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

INIT = "init"


def seed_for(seed: int, *place: int | str) -> int:
    """A seed that differs from place to place and does not depend on the process or on Python's hash."""
    text = "/".join(map(str, (seed, *place)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def seed_everything(seed: int, *place: int | str) -> None:
    """Sets the generators of torch (all devices), numpy and Python; the same on every rank."""
    value = seed_for(seed, *place)
    torch.manual_seed(value)
    np.random.seed(value % 2**32)  # noqa: NPY002 - parts of other packages may draw from the global generator
    random.seed(value)


@contextmanager
def repeatable(device: torch.device, on_gpu: bool) -> Iterator[None]:
    """Repeatable kernels, always on a CPU and on request on a GPU; kernels without such a form run as they are."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    benchmark = torch.backends.cudnn.benchmark
    wanted = device.type == "cpu" or on_gpu
    torch.use_deterministic_algorithms(wanted, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = not wanted
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = fill
        torch.backends.cudnn.benchmark = benchmark
