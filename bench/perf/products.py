"""How much of a call are convolutions and matrix products, which both sides need: the rest bounds every ratio."""

import os
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd.profiler import profile

PRODUCTS = ("conv", "addmm", "mm", "bmm", "linear", "gemm", "cudnn")


def share_of_products(side: Callable[[], Any], device: torch.device) -> float:
    """Of the time of one call, from torch's profiler."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler tells its beginning and end
    side()
    on_gpu = device.type == "cuda"
    with profile(use_device="cuda" if on_gpu else None, use_kineto=on_gpu) as profiled:
        side()
    spent = {
        event.key: float(event.self_device_time_total if on_gpu else event.self_cpu_time_total)
        for event in profiled.key_averages()
    }
    products = sum(time for name, time in spent.items() if any(word in name.lower() for word in PRODUCTS))
    return products / max(sum(spent.values()), 1e-9)


def note(ours: Callable[[], Any], peer: Callable[[], Any], device: torch.device) -> str:
    """For a case."""
    shares = [share_of_products(side, device) for side in (ours, peer)]
    return "convolutions and matrix products take {:.0%} of ours and {:.0%} of the peer's".format(*shares)
