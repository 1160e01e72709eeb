"""Images into one padded batch. Pixels stay interleaved (channels last), as decoders give them and resizing wants them:
turning them into planes would cost as much as the resize itself.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import get_worker_info

from detectors.images import ImageBatch


def interleaved(pixels: Tensor) -> Tensor:
    """[3, H, W] as [1, 3, H, W] in torch's channels-last format; free for what a decoder gave."""
    return pixels.permute(1, 2, 0).contiguous()[None].permute(0, 3, 1, 2)


def resized(pixels: Tensor, height: int, width: int) -> Tensor:
    """Bilinear with antialiasing, equal to Pillow's."""
    return F.interpolate(interleaved(pixels), size=(height, width), mode="bilinear", antialias=True)[0]


def padded(images: Sequence[Tensor], multiple_of: int) -> ImageBatch:
    """Images at the top left of slots of one size, with zeros around them."""
    sizes = tuple((int(image.shape[-2]), int(image.shape[-1])) for image in images)
    height, width = (-(-max(size[side] for size in sizes) // multiple_of) * multiple_of for side in (0, 1))
    pixels = _zeros((len(images), height, width, 3)).permute(0, 3, 1, 2)
    for slot, image, (rows, columns) in zip(pixels, images, sizes, strict=True):
        slot[:, :rows, :columns] = image
    return ImageBatch(pixels, sizes)


def _zeros(shape: tuple[int, ...]) -> Tensor:
    """In a worker process the batch is made in shared memory, which saves the copy that handing it over would take."""
    if get_worker_info() is None:
        return torch.zeros(shape, dtype=torch.uint8)
    # New shared memory is zero.
    storage = torch.UntypedStorage._new_shared(math.prod(shape))
    return torch.empty(0, dtype=torch.uint8).set_(storage).view(shape)
