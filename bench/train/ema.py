"""A running average of the weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Ema:
    """Floating-point weights and statistics are averaged, the rest is copied. Early on the average forgets faster."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._live = model.state_dict()
        self.average = {name: tensor.detach().clone() for name, tensor in self._live.items()}
        self._averaged = [name for name, tensor in self._live.items() if tensor.is_floating_point()]
        self._copied = [name for name in self._live if name not in set(self._averaged)]

    @torch.no_grad()
    def update(self, iteration: int) -> None:
        """Takes in the weights after step `iteration`, counted from 0."""
        decay = min(self.decay, (1 + iteration) / (10 + iteration))
        shadow = [self.average[name] for name in self._averaged]
        torch._foreach_lerp_(shadow, [self._live[name] for name in self._averaged], 1.0 - decay)
        for name in self._copied:
            self.average[name].copy_(self._live[name])

    def load(self, average: dict[str, Tensor]) -> None:
        for name, tensor in self.average.items():
            tensor.copy_(average[name])

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with the averaged weights for a while."""
        live = {name: tensor.clone() for name, tensor in self._live.items()}
        model.load_state_dict(self.average)
        try:
            yield
        finally:
            model.load_state_dict(live)
