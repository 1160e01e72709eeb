"""Where one worker of a training runs: its device, its rank, how many there are."""

import warnings
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from bench.errors import UserError


def best_device() -> torch.device:
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


@dataclass(frozen=True)
class Place:
    """One worker; the default is alone on the best device of the machine."""

    device: torch.device = field(default_factory=best_device)
    rank: int = 0
    world_size: int = 1

    def share_of(self, batch_size: int) -> int:
        """Images of a step that fall to this worker."""
        if batch_size % self.world_size:
            raise UserError(
                f"a batch of {batch_size} images cannot be shared by {self.world_size} workers",
                where="train.batch_size",
                remedy=f"use a multiple of {self.world_size}, or another number of workers",
            )
        return batch_size // self.world_size

    def distribute(self, model: nn.Module) -> nn.Module:
        """The model itself, or one that averages its gradients over the workers."""
        if self.world_size == 1:
            return model
        with warnings.catch_warnings():
            # Newer versions of torch rename the option; older ones know no other name.
            warnings.simplefilter("ignore", FutureWarning)
            return DistributedDataParallel(model, broadcast_buffers=False, gradient_as_bucket_view=True)


def check_amp(amp: str, device: torch.device) -> None:
    if amp == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        name = torch.cuda.get_device_name(device)
        raise UserError(f"{name} has no bf16", where="train.amp", remedy="set it to off")
