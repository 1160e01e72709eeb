"""Images into one padded batch. Pixels stay interleaved (channels last), as decoders give them and resizing wants them:
turning them into planes would cost as much as the resize itself.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from bench.data.batches.sample import Sample
from detectors.images import ImageBatch

Pixels = NDArray[np.uint8]
Memory = Callable[[tuple[int, ...]], Pixels]
"""Makes an array of a shape, with anything in it."""


def fresh(shape: tuple[int, ...]) -> Pixels:
    return np.empty(shape, np.uint8)


def interleaved(pixels: Tensor) -> Tensor:
    """[3, H, W] as [1, 3, H, W] in torch's channels-last format; free for what a decoder gave."""
    return pixels.permute(1, 2, 0).contiguous()[None].permute(0, 3, 1, 2)


def resized(pixels: Tensor, height: int, width: int) -> Tensor:
    """Bilinear with antialiasing, equal to Pillow's."""
    return F.interpolate(interleaved(pixels), size=(height, width), mode="bilinear", antialias=True)[0]


def padded(samples: Sequence[Sample], multiple_of: int, memory: Memory = fresh) -> ImageBatch:
    """The images of samples at the top left of slots of one size, with zeros around them."""
    sizes = tuple(sample.size for sample in samples)
    height, width = (-(-max(size[side] for size in sizes) // multiple_of) * multiple_of for side in (0, 1))
    pixels = memory((len(samples), height, width, 3))
    for slot, sample in zip(pixels, samples, strict=True):
        _lay(slot, sample.paint(), sample.size)
    return ImageBatch(torch.from_numpy(pixels).permute(0, 3, 1, 2), sizes)


def _lay(slot: Pixels, image: Tensor, size: tuple[int, int]) -> None:
    """An image resized to the top left of a slot [H, W, 3]. By numpy, whose views cost a fifth of torch's."""
    rows, columns = size
    if image.shape[1:] == size:
        slot[:rows, :columns] = image.permute(1, 2, 0).numpy()
    elif columns == slot.shape[1]:
        # Nothing lies between the lines of such an image: the kernel can write where the pixels belong.
        place = torch.from_numpy(slot[:rows])[None].permute(0, 3, 1, 2)
        torch.ops.aten._upsample_bilinear2d_aa.out(interleaved(image), size, False, None, None, out=place)
    else:
        slot[:rows, :columns] = resized(image, rows, columns).permute(1, 2, 0).numpy()
    slot[rows:] = 0
    slot[:rows, columns:] = 0
