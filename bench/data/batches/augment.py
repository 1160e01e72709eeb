"""Augmentation of a training image. All chance comes from (seed, epoch, row): not from workers, ranks or resumption."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray
from torch import Tensor

from bench.data.batches import sample as samples
from bench.data.batches.sample import Sample
from bench.data.input import InputConfig

# SSD pads with the mean of ImageNet, and asks a crop for one of these overlaps with an object (None = no crop).
FILL = (124, 116, 104)
CROP_OVERLAPS = (None, 0.0, 0.1, 0.3, 0.5, 0.7, 0.9)
CROP_TRIES = 50


class _Key(ISeedSequence):
    """The key of a Philox stream as it is. Given as `key=`, numpy asks the system for entropy first, and drops it."""

    def __init__(self, *words: int) -> None:
        self.words = np.array(words, np.uint64)

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[np.uint64]:
        return self.words


def generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    key: Any = _Key(seed, epoch << 40 | index)
    return np.random.Generator(np.random.Philox(key))


def augment(sample: Sample, config: InputConfig, chance: np.random.Generator) -> Sample:
    """The sample as training sees it. Boxes that end up thinner than a hundredth of a pixel are left out."""
    size = config.min_size[chance.integers(len(config.min_size))]
    mirrored = chance.random() < config.flip
    if config.augment == "ssd":
        sample = random_crop(zoom_out(distort_colours(sample, chance), chance), chance)
    if mirrored:
        sample = samples.flip(sample)
    sample = samples.resize(sample, *config.target_size(*sample.size, size))
    thick = (sample.boxes[:, 2:] - sample.boxes[:, :2]).min(axis=1) > 0.01
    return sample if thick.all() else sample.select(thick)


def distort_colours(sample: Sample, chance: np.random.Generator) -> Sample:
    """Brightness, contrast, saturation and hue, each with probability one half; contrast first or last."""
    from torchvision.transforms.v2 import functional as colours

    early_contrast = chance.random() < 0.5
    steps = [(colours.adjust_brightness, 0.875, 1.125)]
    steps += [(colours.adjust_saturation, 0.5, 1.5), (colours.adjust_hue, -0.05, 0.05)]
    steps.insert(1 if early_contrast else 3, (colours.adjust_contrast, 0.5, 1.5))
    changes = [(change, chance.uniform(low, high)) for change, low, high in steps if chance.random() < 0.5]

    def paint() -> Tensor:
        pixels = sample.paint()
        for change, factor in changes:
            pixels = change(pixels, factor)
        return pixels

    return replace(sample, paint=paint)


def zoom_out(sample: Sample, chance: np.random.Generator) -> Sample:
    """With probability one half, a canvas of up to four times the side."""
    if chance.random() < 0.5:
        return sample
    ratio = chance.uniform(1, 4)
    height, width = (int(side * ratio) for side in sample.size)
    left, top = (int(chance.integers(0, room + 1)) for room in (width - sample.size[1], height - sample.size[0]))
    return samples.pad(sample, left, top, height, width, FILL)


def random_crop(sample: Sample, chance: np.random.Generator) -> Sample:
    """A window that overlaps an object as much as a drawn threshold asks; objects with their centre in it stay."""
    while len(sample.boxes):
        least = CROP_OVERLAPS[chance.integers(len(CROP_OVERLAPS))]
        if least is None:
            break
        for _ in range(CROP_TRIES):
            window = _window(sample.size, chance)
            if window is None:
                continue
            centres = (sample.boxes[:, :2] + sample.boxes[:, 2:]) / 2
            keep = np.all((centres > window[:2]) & (centres < window[2:]), axis=1)
            if keep.any() and _overlaps(sample.boxes[keep], window).max() >= least:
                return samples.crop(sample, window, keep)
    return sample


def _window(size: tuple[int, int], chance: np.random.Generator) -> NDArray[np.int64] | None:
    height, width = (max(1, int(side * chance.uniform(0.3, 1))) for side in size)
    if not 0.5 <= height / width <= 2:
        return None
    left, top = int(chance.integers(0, size[1] - width + 1)), int(chance.integers(0, size[0] - height + 1))
    return np.array([left, top, left + width, top + height], np.int64)


def _overlaps(boxes: NDArray[np.float32], window: NDArray[np.int64]) -> NDArray[np.float64]:
    """The IoU of boxes with a window."""
    shared = np.clip(np.minimum(boxes[:, 2:], window[2:]) - np.maximum(boxes[:, :2], window[:2]), 0, None).prod(1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1) + (window[2:] - window[:2]).prod()
    return shared / (areas - shared)
