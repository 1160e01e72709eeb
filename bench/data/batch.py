"""Images into one padded batch. Pixels stay interleaved (channels last), as decoders give them and resizing wants them:
turning them into planes would cost as much as the resize itself.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.data.sample import Sample
from detectors.images import ImageBatch

Memory = Callable[[tuple[int, ...]], Tensor]
"""Makes a uint8 tensor of a shape, with anything in it."""


def fresh(shape: tuple[int, ...]) -> Tensor:
    return torch.empty(shape, dtype=torch.uint8)


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
    pixels = memory((len(samples), height, width, 3)).permute(0, 3, 1, 2)
    for slot, sample in zip(pixels, samples, strict=True):
        _lay(slot, sample.paint(), sample.size)
    return ImageBatch(pixels, sizes)


def _lay(slot: Tensor, image: Tensor, size: tuple[int, int]) -> None:
    rows, columns = size
    place = slot[:, :rows, :columns]
    if tuple(image.shape[-2:]) == size:
        place.copy_(image)
    elif columns == slot.shape[-1]:
        # Nothing lies between the lines of such an image: the kernel can write where the pixels belong.
        torch.ops.aten._upsample_bilinear2d_aa.out(interleaved(image), size, False, None, None, out=place[None])
    else:
        place.copy_(resized(image, rows, columns))
    slot[:, rows:] = 0
    slot[:, :rows, columns:] = 0
