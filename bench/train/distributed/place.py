"""Where one worker of a training runs: its device, its rank, how many there are."""

import warnings
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from bench.errors import UserError
from detectors.distributed import set_batch_size


def best_device() -> torch.device:
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


@dataclass(frozen=True)
class Place:
    """One worker; the default is alone on the best device of the machine."""

    device: torch.device = field(default_factory=best_device)
    rank: int = 0
    world_size: int = 1

    def distribute(self, model: nn.Module, batch_size: int) -> nn.Module:
        """The model itself, or one that averages its gradients over the workers, who share batches of this size."""
        if self.world_size == 1:
            return model
        set_batch_size(batch_size)
        with warnings.catch_warnings():
            # Newer versions of torch rename the option; older ones know no other name.
            warnings.simplefilter("ignore", FutureWarning)
            return DistributedDataParallel(model, broadcast_buffers=False, gradient_as_bucket_view=True)


def check_amp(amp: str, device: torch.device) -> None:
    if amp == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        name = torch.cuda.get_device_name(device)
        raise UserError(f"{name} has no bf16", where="train.amp", remedy="set it to off")
