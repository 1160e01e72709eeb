"""What a detector needs to know of other workers: shared normalisers of losses and shared random draws.

Gradients are averaged over the workers, so a loss that divides its sum by `mean_over_ranks(count)` has the gradient of
the whole batch on one worker. A draw from `uniform_per_image` gives each image of the whole batch the numbers that it
would get on one worker, as long as all workers seed alike. Without a process group both are what they are for one.
Workers need not have equally many images: `share_of` says which each has.
"""

import torch
import torch.distributed as dist
from torch import Tensor

_batch_size: int | None = None


def share_of(batch_size: int, rank: int, world_size: int) -> range:
    """Which images of a batch fall to a worker; no worker has more than one image more than another."""
    return range(batch_size * rank // world_size, batch_size * (rank + 1) // world_size)


def set_batch_size(batch_size: int) -> None:
    """How many images all workers have together, from now on; what one worker has does not tell."""
    global _batch_size
    _batch_size = batch_size


def mean_over_ranks(count: Tensor) -> Tensor:
    """The mean of a count over all workers, without gradient; does not wait for the device."""
    if not _several():
        return count.detach()
    total = count.detach().clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def mean_images(num_images: int) -> float:
    """`mean_over_ranks` of the number of images; nobody need be asked for it."""
    return _batch_size / dist.get_world_size() if _several() and _batch_size else num_images


def uniform_per_image(num_images: int, num_draws: int, device: torch.device) -> Tensor:
    """[num_images, num_draws] numbers in [0, 1) from torch's generator of the device."""
    if not _several():
        return torch.rand(num_images, num_draws, device=device)
    rank, world_size = dist.get_rank(), dist.get_world_size()
    batch_size = _batch_size or num_images * world_size
    own = share_of(batch_size, rank, world_size)
    assert len(own) == num_images, f"worker {rank} has {num_images} images of {batch_size}, but its share is {own}"
    return torch.rand(batch_size, num_draws, device=device)[own.start : own.stop]


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
