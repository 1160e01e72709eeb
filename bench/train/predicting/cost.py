"""What a detector costs to use: parameters, floating-point operations, time an image."""

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

WARM_UPS = 3


def size_of(model: nn.Module) -> dict[str, float]:
    """Parameters in millions, as they stand in a checkpoint."""
    return {"params_m": sum(parameter.numel() for parameter in model.parameters()) / 1e6}


@torch.no_grad()
def operations(model: nn.Module, image: Tensor) -> dict[str, float]:
    """Billions of multiply-adds of convolutions and matrix products for one image, the usual "GFLOPs" of papers."""
    counter = FlopCounterMode(display=False)
    with counter:
        model([image])
    return {"gflops": counter.get_total_flops() / 2 / 1e9}


@torch.no_grad()
def latency(
    model: Callable[[list[Tensor]], object], images: Sequence[Tensor], device: torch.device
) -> dict[str, float]:
    """Milliseconds an image, one at a time, from pixels to detections: median and 95th percentile."""
    times = []
    for i, image in enumerate([*images[:WARM_UPS], *images]):
        _wait(device)
        started = time.perf_counter()
        model([image])
        _wait(device)
        if i >= WARM_UPS:
            times.append((time.perf_counter() - started) * 1e3)
    measured = torch.tensor(times, dtype=torch.float64)
    return {"ms_per_image": float(measured.median()), "ms_p95": float(measured.quantile(0.95))}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
