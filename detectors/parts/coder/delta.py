"""The shift of the centre and the logarithm of the change in size, relative to the reference box (R-CNN)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from detectors.config import Positive
from detectors.parts.coder import Coder, CoderConfig


@dataclass(frozen=True, kw_only=True)
class Config(CoderConfig):
    stds: tuple[Positive, Positive, Positive, Positive] = (0.1, 0.1, 0.2, 0.2)
    """Codes are divided by these; torchvision calls their inverse weights."""
    max_growth: Positive = 1000 / 16
    """Decoded sides are at most this many times those of the reference."""
    min_side: Positive = 1e-3
    """Shorter sides, in pixels, are encoded as this long, so that a box without area has finite codes."""

    def build(self) -> Coder:
        return Delta(self)


class Delta(Coder):
    def __init__(self, config: Config) -> None:
        self.stds = config.stds
        self.max_log = math.log(config.max_growth)
        self.min_side = config.min_side

    def encode(self, references: Tensor, boxes: Tensor) -> Tensor:
        (cx, cy, w, h), (gx, gy, gw, gh) = self._centred(references), self._centred(boxes)
        codes = ((gx - cx) / w, (gy - cy) / h, (gw / w).log(), (gh / h).log())
        return torch.stack([code / std for code, std in zip(codes, self.stds, strict=True)], -1)

    def decode(self, references: Tensor, codes: Tensor) -> Tensor:
        x1, y1, x2, y2 = references.float().unbind(-1)
        w, h = x2 - x1, y2 - y1
        dx, dy, dw, dh = (code * std for code, std in zip(codes.float().unbind(-1), self.stds, strict=True))
        cx, cy = dx * w + (x1 + 0.5 * w), dy * h + (y1 + 0.5 * h)
        half_w = 0.5 * w * dw.clamp(max=self.max_log).exp()
        half_h = 0.5 * h * dh.clamp(max=self.max_log).exp()
        return torch.stack([cx - half_w, cy - half_h, cx + half_w, cy + half_h], -1)

    def _centred(self, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x1, y1, x2, y2 = boxes.float().unbind(-1)
        w, h = x2 - x1, y2 - y1
        return x1 + 0.5 * w, y1 + 0.5 * h, w.clamp(min=self.min_side), h.clamp(min=self.min_side)
