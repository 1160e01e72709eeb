"""What all detectors share: the call contract, normalised pixels, and raw predictions followed by `post`."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from detectors.families import DetectorConfig
from detectors.images import ImageBatch, as_batch
from detectors.raw import Raw
from detectors.targets import Targets, pad_targets

Images = Sequence[Tensor] | Tensor | ImageBatch


class Detector(nn.Module):
    """A family derives from this and gives `losses(batch, targets)` and `candidates(batch)`."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: DetectorConfig, num_classes: int) -> None:
        super().__init__()
        self.config = config
        self.num_classes = num_classes
        self.post = config.post.build()
        self.register_buffer("mean", torch.tensor(config.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(3, 1, 1), persistent=False)

    def forward(self, images: Images, targets: Sequence[Mapping[str, Tensor]] | None = None) -> Any:
        """In training a dict of scalar losses, in evaluation a list of detections, one dict an image."""
        if not self.training:
            return self.post(self.predict_raw(images))
        if targets is None:
            raise ValueError("targets: missing while the model is in training mode; pass them, or call model.eval()")
        batch = self.as_batch(images)
        if len(targets) != len(batch):
            raise ValueError(f"targets: {len(targets)} for {len(batch)} images; give one dict an image")
        for image, target in enumerate(targets):
            _check(image, target)
        return self.losses(batch, pad_targets(targets, self.mean.device))

    @torch.no_grad()
    def predict_raw(self, images: Images) -> Raw:
        return self.candidates(self.as_batch(images))

    def losses(self, batch: ImageBatch, targets: Targets) -> dict[str, Tensor]:
        raise NotImplementedError

    def candidates(self, batch: ImageBatch) -> Raw:
        raise NotImplementedError

    def as_batch(self, images: Images) -> ImageBatch:
        """Any form of images as one batch on the model's device, normalised, and zero where it is padded."""
        batch = as_batch(images).to(self.mean.device, non_blocking=True)
        unit = 255.0 if batch.pixels.dtype == torch.uint8 else 1.0
        pixels = (batch.pixels.to(self.mean.dtype) / unit - self.mean) / self.std
        height, width = pixels.shape[-2:]
        for image, (rows, columns) in zip(pixels, batch.sizes, strict=True):
            if rows < height:
                image[:, rows:] = 0
            if columns < width:
                image[:, :, columns:] = 0
        return ImageBatch(pixels, batch.sizes)


def _check(image: int, target: Mapping[str, Tensor]) -> None:
    boxes, labels = target["boxes"], target["labels"]
    if boxes.shape != (len(labels), 4):
        shape = tuple(boxes.shape)
        raise ValueError(
            f"targets[{image}]: boxes {shape} beside {len(labels)} labels; give boxes [G, 4] and labels [G]"
        )
