"""What a detector needs to know of other workers: shared normalisers of losses and shared random draws.

Gradients are averaged over the workers, so a loss that divides its sum by `mean_over_ranks(count)` has the gradient of
the whole batch on one worker. A draw from `uniform_per_image` gives each image of the whole batch the numbers that it
would get on one worker, as long as all workers seed alike. Without a process group both are what they are for one.
"""

import torch
import torch.distributed as dist
from torch import Tensor


def mean_over_ranks(count: Tensor) -> Tensor:
    """The mean of a count over all workers, without gradient; does not wait for the device."""
    if not _several():
        return count.detach()
    total = count.detach().clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def uniform_per_image(num_images: int, num_draws: int, device: torch.device) -> Tensor:
    """[num_images, num_draws] numbers in [0, 1) from torch's generator of the device."""
    if not _several():
        return torch.rand(num_images, num_draws, device=device)
    everyone = torch.rand(num_images * dist.get_world_size(), num_draws, device=device)
    return everyone[num_images * dist.get_rank() :][:num_images]


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
