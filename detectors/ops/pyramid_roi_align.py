"""RoIAlign over all levels of a pyramid at once: torchvision's kernel where there is a GPU, rows of a table on a CPU.

Both ask no device how many boxes fall to each level. On a CPU the table is several times faster to train through than
torchvision's kernel, whose backward pass adds one number at a time.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

Pooled = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(boxes [N, 4] in pixels, image of each [N], level of each [N]) -> [N, C, resolution, resolution]."""


def pyramid_roi_align(
    levels: Sequence[Tensor], strides: Sequence[int], *, resolution: int, samples: int, aligned: bool
) -> Pooled:
    """Prepares a pyramid of maps [B, C, H, W] for RoIAlign; `samples` 0 means one a cell that a bin covers."""
    on_table = samples > 0 and levels[0].device.type == "cpu"
    return (_from_table if on_table else _from_canvas)(levels, strides, resolution, samples, aligned)


def _from_canvas(
    levels: Sequence[Tensor], strides: Sequence[int], resolution: int, samples: int, aligned: bool
) -> Pooled:
    """All levels lie side by side on one map, each in a border that repeats its edge, as RoIAlign reads it.

    Without `aligned`, a box narrower than a cell is read as one cell wide. Where it then leaves the map at the right or
    bottom, torchvision reads zeros, and this the edge.
    """
    from torchvision.ops import roi_align

    canvas, corners = _canvas(levels)
    shapes = [(level.shape[-2], level.shape[-1]) for level in levels]
    corner = _on([[x, y] * 2 for x, y in corners], canvas.device)
    extent = _on([[columns, rows] * 2 for rows, columns in shapes], canvas.device)
    stride = _on([[stride] for stride in strides], canvas.device)

    def pool(boxes: Tensor, image: Tensor, level: Tensor) -> Tensor:
        cells = torch.minimum(boxes.float() / stride[level], extent[level]).clamp(min=0) + corner[level]
        rois = torch.cat([image[:, None].to(cells.dtype), cells], 1).to(canvas.dtype)
        return roi_align(canvas, rois, resolution, sampling_ratio=samples, aligned=aligned)

    return pool


def _canvas(levels: Sequence[Tensor]) -> tuple[Tensor, list[tuple[int, int]]]:
    """The map, and where (x, y) each level begins: the finest at the left, the others below each other beside it."""
    padded = [functional.pad(level, (1, 2, 1, 2), mode="replicate") for level in levels]
    places, top = [(0, 0)], 0
    for level in padded[1:]:
        places.append((padded[0].shape[-1], top))
        top += level.shape[-2]
    width = padded[0].shape[-1] + max((level.shape[-1] for level in padded[1:]), default=0)
    canvas = levels[0].new_zeros((*levels[0].shape[:2], max(padded[0].shape[-2], top), width))
    for level, (x, y) in zip(padded, places, strict=True):
        canvas[:, :, y : y + level.shape[-2], x : x + level.shape[-1]] = level
    return canvas, [(x + 1, y + 1) for x, y in places]


def _from_table(
    levels: Sequence[Tensor], strides: Sequence[int], resolution: int, samples: int, aligned: bool
) -> Pooled:
    """Each cell of each map is a row; a bin is a weighted sum of four rows a sample."""
    channels = levels[0].shape[1]
    table = torch.cat([level.permute(0, 2, 3, 1).reshape(-1, channels) for level in levels]).float()
    shapes = [(level.shape[-2], level.shape[-1]) for level in levels]
    sizes = [level.numel() // channels for level in levels]
    first = torch.tensor([sum(sizes[:index]) for index in range(len(sizes))])
    extent, stride = torch.tensor(shapes), torch.tensor(strides)
    step = (torch.arange(resolution * samples) + 0.5) / samples

    def pool(boxes: Tensor, image: Tensor, level: Tensor) -> Tensor:
        cells = boxes.float() / stride[level, None] - (0.5 if aligned else 0.0)
        sides = cells[:, 2:] - cells[:, :2]
        bins = (sides if aligned else sides.clamp(min=1)) / resolution
        rows, columns = extent[level].unbind(1)
        y, weight_y = _neighbours(cells[:, 1:2] + bins[:, 1:2] * step, rows)
        x, weight_x = _neighbours(cells[:, 0:1] + bins[:, 0:1] * step, columns)
        start = first[level] + image * rows * columns
        index = (start[:, None, None] + y * columns[:, None, None])[:, :, :, None, None] + x[:, None, None]
        weight = weight_y[:, :, :, None, None] * weight_x[:, None, None] / samples**2
        bags = [_by_bin(tensor, resolution, samples) for tensor in (index, weight)]
        pooled = functional.embedding_bag(bags[0], table, per_sample_weights=bags[1], mode="sum")
        return (
            pooled.view(len(boxes), resolution**2, channels)
            .transpose(1, 2)
            .reshape(len(boxes), channels, resolution, resolution)
        )

    return pool


def _neighbours(at: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
    """The two cells around each coordinate [N, S] and their weights, both [N, S, 2]; no weight outside of the map."""
    last = (length - 1)[:, None]
    inside = (at >= -1) & (at <= length[:, None])
    at = torch.minimum(at.clamp(min=0), last.to(at.dtype))
    low = at.floor()
    part = at - low
    low = low.long()
    weights = torch.stack([1 - part, part], -1) * inside[..., None]
    return torch.stack([low, torch.minimum(low + 1, last)], -1), weights


def _by_bin(samples: Tensor, resolution: int, count: int) -> Tensor:
    """[N, resolution * count, 2, resolution * count, 2] -> [N * resolution^2, 4 * count^2]"""
    split = samples.view(len(samples), resolution, count, 2, resolution, count, 2)
    return split.permute(0, 1, 4, 2, 3, 5, 6).reshape(len(samples) * resolution**2, 4 * count**2)


def _on(rows: list[list[int]], device: torch.device) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32).to(device, non_blocking=True)
