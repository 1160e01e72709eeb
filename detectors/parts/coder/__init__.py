"""Role `coder`: boxes as numbers that a network can regress, relative to a reference box."""

from dataclasses import dataclass

from torch import Tensor

from detectors.config import PartConfig


class Coder:
    """Tensors of any leading shape, in float32 or wider whatever the network computes in."""

    def encode(self, references: Tensor, boxes: Tensor) -> Tensor:
        """[..., 4] and [..., 4] -> what the network should have said: [..., 4]"""
        raise NotImplementedError

    def decode(self, references: Tensor, codes: Tensor) -> Tensor:
        """[..., 4] and [..., 4] -> boxes [..., 4], not clipped to any image"""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class CoderConfig(PartConfig):
    def build(self) -> Coder:
        return super().build()
