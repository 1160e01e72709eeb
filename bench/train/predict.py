"""Runs a trained detector over a split and writes what it said before any of `post`, in source pixels."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from bench.train.place import Place
from detectors.detector import Detector
from detectors.images import ImageBatch
from detectors.raw import Raw

EvalBatch = tuple[ImageBatch, Tensor, Sequence[int]]


class RawWriter(Protocol):
    """Where raw predictions go, image by image; `raw` is of one image and lies on the CPU."""

    def add(self, image_index: int, source_id: str, raw: Raw) -> None: ...


@dataclass(frozen=True)
class Predicted:
    """How a pass over a split went."""

    images: int
    seconds: float
    network_seconds: float
    """Of these, in the network; the rest is input and writing."""

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds


def predict(
    model: Detector,
    batches: Iterable[EvalBatch],
    writer: RawWriter,
    *,
    source_id: Callable[[int], str],
    place: Place | None = None,
    amp: str = "off",
    advance: Callable[[int], None] = lambda count: None,
) -> Predicted:
    """`advance` hears the number of images of each batch that is done."""
    device = (place or Place()).device
    model.to(device).eval()
    images, network_seconds, started = 0, 0.0, time.perf_counter()
    for batch, scales, indices in batches:
        before = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=amp == "bf16"):
            raw = to_cpu(model.predict_raw(batch))
        network_seconds += time.perf_counter() - before
        for index, own in zip(indices, split(in_source_pixels(raw, scales)), strict=True):
            writer.add(int(index), source_id(int(index)), own)
        images += len(batch)
        advance(len(batch))
    return Predicted(images, time.perf_counter() - started, network_seconds)


def in_source_pixels(raw: Raw, scales: Tensor) -> Raw:
    """Boxes of network pixels as boxes of the source images: each image was scaled by its own factor."""
    return replace(raw, boxes=raw.boxes / scales.to(raw.boxes)[raw.image].unsqueeze(1))


def split(raw: Raw) -> Iterator[Raw]:
    """One `Raw` an image, in their order, candidates in the order they came in."""
    order = torch.argsort(raw.image, stable=True)
    ordered = raw.select(order)
    ends = torch.bincount(raw.image, minlength=raw.num_images).cumsum(0).tolist()
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        own = ordered.select(slice(start, end))
        yield replace(own, image=torch.zeros_like(own.image), num_images=1)


def to_cpu(raw: Raw) -> Raw:
    """Waits for the device."""
    fields = {name: getattr(raw, name).cpu() for name in ("labels", "image", "source", "level")}
    floats = {name: getattr(raw, name).float().cpu() for name in ("boxes", "scores")}
    quality = {name: values.float().cpu() for name, values in raw.quality.items()}
    return Raw(**fields, **floats, num_images=raw.num_images, quality=quality)
