"""Randomness as a function of (seed, step): a resumed run draws what the unbroken one draws, on any worker count."""

import hashlib
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


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
    if device.type != "cpu" and not on_gpu:
        yield
        return
    mode = torch.get_deterministic_debug_mode()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    benchmark = torch.backends.cudnn.benchmark
    try:
        torch.set_deterministic_debug_mode("warn")
        # Filling what is about to be overwritten costs time and changes nothing.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = False
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation.*")
            yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = benchmark
