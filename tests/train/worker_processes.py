"""Workers of one training as processes of this machine that find each other through a file, without Ray."""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from bench.train.distributed.place import Place


def run_workers(count: int, work: Callable[[Place, Path], None], folder: Path) -> None:
    """Calls `work` in `count` processes; whatever it leaves, it leaves in the folder."""
    mp.spawn(_worker, args=(count, work, folder), nprocs=count)


def _worker(rank: int, count: int, work: Callable[[Place, Path], None], folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group-{count}", rank=rank, world_size=count)
    try:
        work(Place(torch.device("cpu"), rank, count), folder)
    finally:
        dist.destroy_process_group()
