"""Runs a trained detector over a split and hands on what it said before any of `post`, image by image."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from bench.data.batches.loader import eval_loader
from bench.data.input import InputConfig
from bench.data.store import Store
from bench.train.distributed.place import Place, check_amp
from bench.train.predicting.views import Seen, pooled
from detectors.detector import Detector
from detectors.raw import Raw


class RawWriter(Protocol):
    """Where raw predictions go; it maps boxes back to source pixels by the scales [B, 2] of width and height."""

    def add(self, raw: Raw, images: Sequence[int], source_ids: Sequence[str], scales: Tensor) -> Any: ...


@dataclass(frozen=True)
class Predicted:
    """How a pass over a split, or over one worker's share of it, went."""

    images: int
    seconds: float
    network_seconds: float
    """Of these, in the network; the rest is input and writing."""

    @property
    def images_per_second(self) -> float:
        return self.images / max(self.seconds, 1e-9)


def predict(
    model: Detector,
    store: Store,
    input: InputConfig,
    writer: RawWriter,
    *,
    batch_size: int = 1,
    place: Place | None = None,
    loader_workers: int = 0,
    amp: str = "off",
    advance: Callable[[int], None] = lambda count: None,
) -> Predicted:
    """Every image once over all workers; `advance` hears the number of images of each batch that is done.

    Where the input has several views of an image, all that was found in them is written as one, in source pixels.
    """
    place = place or Place()
    check_amp(amp, place.device)
    model.to(place.device).eval()
    views = input.views()
    batches = eval_loader(
        store,
        input,
        batch_size=batch_size,
        rank=place.rank,
        world_size=place.world_size,
        num_workers=loader_workers,
        pin_memory=place.device.type == "cuda",
        views=views,
    )
    images, network_seconds, started, seen = 0, 0.0, time.perf_counter(), list[Seen]()
    for batch, scales, indices in batches:
        before = time.perf_counter()
        with torch.autocast(place.device.type, torch.bfloat16, enabled=amp == "bf16"):
            raw = on_cpu(model.predict_raw(batch))
        network_seconds += time.perf_counter() - before
        seen.append(Seen.of(views[len(seen)], batch, scales, raw))
        if len(seen) < len(views):
            continue
        if len(views) > 1:
            raw, scales = pooled(seen), torch.ones_like(scales)
        seen.clear()
        rows = [int(index) for index in indices]
        writer.add(raw, rows, [store.annotations(row).source_id for row in rows], scales[:, :2])
        images += len(rows)
        advance(len(rows))
    return Predicted(images, time.perf_counter() - started, network_seconds)


def on_cpu(raw: Raw) -> Raw:
    """In full precision; waits for the device."""
    whole = {name: getattr(raw, name).cpu() for name in ("labels", "image", "source", "level")}
    boxes, scores = raw.boxes.float().cpu(), raw.scores.float().cpu()
    quality = {name: values.float().cpu() for name, values in raw.quality.items()}
    return Raw(boxes=boxes, scores=scores, **whole, num_images=raw.num_images, quality=quality)
