"""Role `backbone`: from normalised pixels to feature maps of falling resolution."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import Tensor, nn

from detectors.config import PartConfig
from detectors.parts.backbone.frozen_norm import FrozenNorm
from detectors.sync_norm import SyncBatchNorm

Norm = Literal["frozen", "train", "sync"]
"""Batch normalisation: statistics of the pretrained weights | of each batch | of each batch over all workers."""


class Backbone(nn.Module):
    """Images [B, 3, H, W] -> one map a level, finest first."""

    channels: tuple[int, ...]
    """of each level"""
    strides: tuple[int, ...]
    """of each level, in pixels"""

    frozen: tuple[nn.Module, ...] = ()
    """stages that stay as they were loaded"""

    def forward(self, images: Tensor) -> list[Tensor]:
        raise NotImplementedError

    def freeze(self, stages: Sequence[nn.Module]) -> None:
        self.frozen = tuple(stage.requires_grad_(False).eval() for stage in stages)

    def train(self, mode: bool = True) -> "Backbone":
        super().train(mode)
        for stage in self.frozen:
            stage.eval()
        return self

    def load_classifier_state(self, state: dict[str, Tensor]) -> list[str]:
        """Takes the weights of the classifier that the backbone comes from; returns the names that it has none for."""
        return self.take(state, own=[name for name in self.state_dict() if ".offset." in name])

    def take(self, state: dict[str, Tensor], own: list[str]) -> list[str]:
        """Loads all parameters but its own, which no classifier has; returns those."""
        mine = self.state_dict()
        wanted = [name for name in mine if name not in own and not name.endswith("num_batches_tracked")]
        lost = [name for name in wanted if name not in state or state[name].shape != mine[name].shape]
        if lost:
            raise ValueError(
                f"weights: {len(lost)} of {len(wanted)} are missing or of another shape, {lost[0]} first; "
                "give those of the same architecture"
            )
        self.load_state_dict({name: value for name, value in state.items() if name in mine}, strict=False)
        return own


@dataclass(frozen=True, kw_only=True)
class BackboneConfig(PartConfig):
    def build(self) -> Backbone:
        return super().build()

    def imagenet(self) -> tuple[str, ...]:
        """ImageNet weights that are published for it, the usual ones first: torchvision's names, or `timm/NAME.TAG`."""
        return ()


def norm_layer(norm: Norm, eps: float) -> Callable[[int], nn.Module]:
    """What makes a normalisation from its number of channels; each kind reads the state of the others."""
    kind = {"frozen": FrozenNorm, "train": nn.BatchNorm2d, "sync": SyncBatchNorm}[norm]
    return partial(kind, eps=eps)
