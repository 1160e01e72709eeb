"""A detector-like model of a few weights and a data set in memory, so that the loop is tested for itself."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from detectors.distributed import mean_over_ranks, share_of, uniform_per_image
from detectors.images import ImageBatch


class TinyModel(nn.Module):
    """Two losses, one normalised by a count over all images, one that samples at random per image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.GroupNorm(2, 4)
        self.box = nn.Linear(4, 4)
        self.cls = nn.Linear(4, 2)

    def forward(self, images: ImageBatch, targets: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        pixels = images.pixels.to(self.box.weight.device).float() / 255
        features = torch.relu(self.norm(self.conv(pixels))).mean((2, 3))
        boxes = torch.stack([target["boxes"].sum(0) for target in targets])
        labels = torch.stack([target["labels"][0] for target in targets])
        count = mean_over_ranks(torch.tensor(float(sum(len(target["labels"]) for target in targets))))
        kept = (uniform_per_image(len(targets), 4, pixels.device) < 0.7).float()
        box_loss = ((self.box(features) - boxes).abs() * kept).sum() / count
        cls_loss = nn.functional.cross_entropy(self.cls(features), labels, reduction="sum") / count
        return {"box": box_loss, "cls": cls_loss}


class MemoryBatches:
    """Six epochs' worth of order and pixels from one seed; knows where it stands."""

    def __init__(self, size: int = 12, batch_size: int = 4, rank: int = 0, world_size: int = 1, bad: int = -1) -> None:
        self.size, self.batch_size, self.rank, self.world_size, self.bad = size, batch_size, rank, world_size, bad
        self.position = 0

    def __len__(self) -> int:
        return self.size // self.batch_size

    def __iter__(self) -> Iterator[tuple[ImageBatch, list[dict[str, Tensor]], list[int]]]:
        while True:
            epoch, slot = divmod(self.position, len(self))
            order = torch.randperm(self.size, generator=torch.Generator().manual_seed(epoch)).tolist()
            own = share_of(self.batch_size, self.rank, self.world_size)
            batch = order[slot * self.batch_size :][: self.batch_size]
            self.position += 1
            yield self._batch(batch[own.start : own.stop])

    def _batch(self, indices: list[int]) -> tuple[ImageBatch, list[dict[str, Tensor]], list[int]]:
        items = [self._item(index) for index in indices]
        return (
            ImageBatch(torch.stack([pixels for pixels, _ in items]), ((8, 8),) * len(items)),
            [target for _, target in items],
            indices,
        )

    def _item(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        generator = torch.Generator().manual_seed(1000 + index)
        pixels = torch.randint(0, 256, (3, 8, 8), generator=generator, dtype=torch.uint8)
        boxes = torch.rand(1 + index % 3, 4, generator=generator)
        if index == self.bad:
            boxes[0, 0] = float("nan")
        return pixels, {"boxes": boxes, "labels": torch.full((len(boxes),), index % 2)}

    def state_dict(self) -> dict[str, Any]:
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.position = state["position"]
