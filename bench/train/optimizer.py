"""SGD over the parameters that learn, in at most two groups: with weight decay and without."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.train.config import TrainConfig

NORM_LAYERS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.LocalResponseNorm)


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.SGD:
    """Few groups and the fused step keep the number of kernels a step small."""
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for parameter, exempt in _learning(model):
        (plain if exempt and not config.decay_norm_and_bias else decayed).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(
        [group for group in groups if group["params"]],
        lr=config.peak_lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        fused=True,
    )


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def load_momenta(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """What an optimizer has gathered so far; how it steps stays as it was built."""
    own = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, settings in zip(optimizer.param_groups, own, strict=True):
        group.update(settings)


def clip(optimizer: torch.optim.Optimizer, largest: float) -> Tensor:
    """Scales the gradients down to the largest norm allowed; gives the norm they had, left on the device."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return nn.utils.clip_grad_norm_(parameters, largest, foreach=True)


def _learning(model: nn.Module) -> Iterator[tuple[nn.Parameter, bool]]:
    """Each parameter that learns, once, and whether it is a bias or belongs to a normalisation layer."""
    seen: set[nn.Parameter] = set()
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad and parameter not in seen:
                seen.add(parameter)
                yield parameter, isinstance(module, NORM_LAYERS) or name == "bias"
