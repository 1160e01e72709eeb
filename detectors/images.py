"""A padded batch of images: what every detector takes besides a plain list of images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageBatch:
    """Images padded at the right and the bottom to one size; `sizes` holds (height, width) of each before that."""

    pixels: Tensor
    sizes: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.sizes)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "ImageBatch":
        return ImageBatch(self.pixels.to(device, non_blocking=non_blocking), self.sizes)

    def pin_memory(self) -> "ImageBatch":
        return ImageBatch(self.pixels.pin_memory(), self.sizes)


def as_batch(images: "Sequence[Tensor] | Tensor | ImageBatch", multiple_of: int = 32) -> ImageBatch:
    """Any form of images that a detector accepts as one padded batch; a tensor [B, C, H, W] counts as whole images."""
    if isinstance(images, ImageBatch):
        return images
    if isinstance(images, Tensor):
        return ImageBatch(images, ((int(images.shape[-2]), int(images.shape[-1])),) * len(images))
    sizes = tuple((int(image.shape[-2]), int(image.shape[-1])) for image in images)
    height, width = (_round_up(max(size[side] for size in sizes), multiple_of) for side in (0, 1))
    pixels = images[0].new_zeros((len(images), images[0].shape[0], height, width))
    for slot, image, (rows, columns) in zip(pixels, images, sizes, strict=True):
        slot[:, :rows, :columns] = image
    return ImageBatch(pixels, sizes)


def _round_up(length: int, multiple_of: int) -> int:
    return -(-length // multiple_of) * multiple_of
