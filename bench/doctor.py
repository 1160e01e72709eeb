"""Looks at the machine and says what is wrong and what to do about it."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

GIB = 2**30
DISK_WANTED = 1 * GIB
"""The quickstart fills 0.15 GiB, and Ray's own files take little more."""
MEMORY_WANTED = 4 * GIB


@dataclass(frozen=True)
class Check:
    """What was looked at, what was found, and the remedy where it is not well."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def check_all() -> Iterator[Check]:
    """Every check in turn; one that breaks is itself a finding."""
    checks: tuple[Callable[[], Check], ...] = (
        python,
        torch,
        gpu,
        nccl,
        ray,
        mlflow,
        scorer,
        data,
        disk,
        memory,
        temporary,
    )
    for check in checks:
        try:
            yield check()
        except Exception as error:
            yield Check(check.__name__, False, f"{type(error).__name__}: {error}", "reinstall: `make clean quickstart`")


def python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    return Check(
        "python", sys.version_info >= (3, 11), found, "" if sys.version_info >= (3, 11) else "install 3.11 or newer"
    )


def torch() -> Check:
    import torch
    import torchvision

    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 1]])
    kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.4).tolist()
    found = f"{torch.__version__}, torchvision {torchvision.__version__}, {torch.get_num_threads()} threads"
    return Check("torch", kept == [0], found, "" if kept == [0] else "the two do not fit together: reinstall both")


def gpu() -> Check:
    import torch

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
        return Check("gpu", True, f"{names}, CUDA {torch.version.cuda}")
    if Path("/proc/driver/nvidia").exists():
        return Check(
            "gpu", False, "a driver but no usable GPU", "see `nvidia-smi`; the driver may be older than torch's CUDA"
        )
    return Check("gpu", True, "none: training runs on the CPU; only the quickstart and smoke profiles are practical")


def nccl() -> Check:
    import torch

    if not torch.cuda.is_available():
        return Check(
            "nccl",
            True,
            "not needed without a GPU; gloo is there" if torch.distributed.is_gloo_available() else "no gloo",
        )
    there = torch.distributed.is_nccl_available()
    return Check("nccl", there, "available" if there else "absent", "" if there else "install a CUDA build of torch")


def ray() -> Check:
    found = version("ray")
    try:
        version("aiohttp-cors")
    except PackageNotFoundError:
        return Check("ray", False, f"{found} without its dashboard", "pip install 'ray[default,train,tune]'")
    address = os.environ.get("RAY_ADDRESS", "")
    note = f"; RAY_ADDRESS={address} is ignored unless you pass --address" if address else ""
    return Check("ray", True, found + note)


def mlflow() -> Check:
    return Check("mlflow", True, version("mlflow"))


def scorer() -> Check:
    return Check(
        "scorer", True, f"faster-coco-eval {version('faster-coco-eval')}, pycocotools {version('pycocotools')}"
    )


def data() -> Check:
    """Makes one scene and decodes it: what every reader of a store relies on."""
    from bench.data.batches.decode import decode
    from bench.data.converting.report import Report
    from bench.data.formats import synthetic

    row = next(synthetic.Config(train=1).build("train").chunk(0, 1).rows(Report()))
    shape = tuple(decode(row.image).shape)
    well = shape == (3, row.height, row.width)
    return Check("data", well, f"images decode ({len(row.boxes)} objects in a scene of {row.width} x {row.height})")


def disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free
    remedy = "" if free >= DISK_WANTED else "free some space or choose another folder with --storage"
    return Check("disk", free >= DISK_WANTED, f"{free / GIB:.1f} GiB free here", remedy)


def memory() -> Check:
    import psutil

    free = psutil.virtual_memory().available
    remedy = "" if free >= MEMORY_WANTED else "close other programs; Ray's workers take about 0.5 GiB each"
    return Check(
        "memory", free >= MEMORY_WANTED, f"{free / GIB:.1f} GiB available, {os.cpu_count()} processors", remedy
    )


def temporary() -> Check:
    folder = Path(tempfile.gettempdir())
    with tempfile.NamedTemporaryFile(dir=folder):
        return Check("tmp", True, f"{folder} is writable, {shutil.disk_usage(folder).free / GIB:.1f} GiB free")
