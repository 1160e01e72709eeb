"""Precise RoI pooling (IoU-Net, Eq. 2-3): the exact mean of the bilinearly interpolated map over each bin.

The integral of a sample's hat function has a closed form and the axes separate, so a bin is a weighted sum of the few
samples under it, with weights that are smooth in the box: gradients reach features and boxes alike. `embedding_bag` is
that sum on a CPU and on a GPU, and needs no memory but the weights. Maps in channels_last are read as they are. How
many samples a bin meets is known to the device alone, which is asked once a call.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

TAPS_STEP = 2
"""Boxes are taken together by the samples a bin meets along each axis, rounded up to a multiple of this."""


def prroi_pool(
    features: Tensor, rois: Tensor, output_size: int | tuple[int, int], spatial_scale: float = 1.0
) -> Tensor:
    """[B, C, H, W] and rois [K, 5] = (image, x1, y1, x2, y2) -> [K, C, *output_size].

    Sample (i, j) of the map lies at the coordinate (i, j). The map is 0 outside, which darkens a bin across its border.
    A box without area gives 0 and no gradient. Half precision is pooled in float32 and returned as it came.
    """
    size = (output_size, output_size) if isinstance(output_size, int) else output_size
    exact = features.to(torch.promote_types(features.dtype, torch.float32)).permute(0, 2, 3, 1)
    samples = exact.reshape(-1, exact.shape[3]).contiguous()
    if len(rois) == 0:
        return samples[:0].view(0, samples.shape[1], *size).to(features.dtype)
    parts = list(_bags(rois, size, spatial_scale, exact.shape[1], exact.shape[2]))
    members = torch.cat([member for member, _, _ in parts])
    taps = torch.cat([index.new_full((index[..., 0].numel(),), index.shape[-1]) for _, index, _ in parts])
    pooled = embedding_bag(
        torch.cat([index.flatten() for _, index, _ in parts]),
        samples,
        taps.cumsum(0) - taps,
        mode="sum",
        per_sample_weights=torch.cat([share.flatten() for _, _, share in parts]).to(samples.dtype),
    )
    in_order = pooled.view(-1, *size, samples.shape[1]).index_select(0, members.argsort())
    return in_order.permute(0, 3, 1, 2).to(features.dtype)


def _bags(
    rois: Tensor, size: tuple[int, int], spatial_scale: float, height: int, width: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """For rois of like extent: which [k], the samples that each bin meets and their shares of it [k, *size, taps]."""
    boxes = rois[:, 1:].to(torch.promote_types(rois.dtype, torch.float32)) * spatial_scale
    first_row = rois[:, 0].detach().long() * height
    rows, columns = _edges(boxes[:, 1], boxes[:, 3], size[0]), _edges(boxes[:, 0], boxes[:, 2], size[1])
    extent = torch.stack([_most_taps(rows, height), _most_taps(columns, width)], 1)
    for tall, wide in extent.unique(dim=0).tolist():
        member = ((extent[:, 0] == tall) & (extent[:, 1] == wide)).nonzero().squeeze(1)
        y, share_y = _taps(rows[member], tall, height)
        x, share_x = _taps(columns[member], wide, width)
        y = y + first_row[member, None, None]
        index = y[:, :, None, :, None] * width + x[:, None, :, None, :]
        share = share_y[:, :, None, :, None] * share_x[:, None, :, None, :]
        yield member, index.flatten(3), share.flatten(3)


def _edges(low: Tensor, high: Tensor, bins: int) -> Tensor:
    """[K] each -> where the bins begin and end, [K, bins + 1]."""
    step = torch.arange(bins + 1, device=low.device, dtype=low.dtype) / bins
    return low[:, None] + (high - low)[:, None] * step


def _most_taps(edges: Tensor, length: int) -> Tensor:
    """How many samples of a map a box's fullest bin meets, rounded up, [K]."""
    first, last = edges.detach().floor().clamp(0, length - 1), edges.detach().ceil().clamp(0, length - 1)
    most = (last[:, 1:] - first[:, :-1] + 1).amax(1).clamp(min=1)
    return (most / TAPS_STEP).ceil().long() * TAPS_STEP


def _taps(edges: Tensor, taps: int, length: int) -> tuple[Tensor, Tensor]:
    """The samples under each bin along one axis and their shares of its mean, [K, bins, taps] both."""
    first = edges[:, :-1].detach().floor().clamp(0, length - 1)
    sample = first[..., None] + torch.arange(taps, device=edges.device, dtype=edges.dtype)
    integral = _hat_integral(edges[:, 1:, None] - sample) - _hat_integral(edges[:, :-1, None] - sample)
    extent = (edges[:, 1:] - edges[:, :-1])[..., None]
    counts = (extent > 0) & (sample < length)
    share = torch.where(counts, integral / extent.where(counts, 1), 0)
    return sample.clamp(max=length - 1).long(), share


def _hat_integral(t: Tensor) -> Tensor:
    """The integral of max(0, 1 - |s|) over s up to t."""
    t = t.clamp(-1, 1)
    return 0.5 + t - 0.5 * t * t.abs()
