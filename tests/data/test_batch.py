"""Images are laid into the memory of batches that were there before: every way of it gives the same pixels."""

import pickle
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch
from layouts import coco_tree, encoded, picture, write_coco
from PIL import Image
from torchvision.transforms.v2 import functional as F

from bench.data.batches import sample as samples
from bench.data.batches.batch import padded
from bench.data.batches.loader import train_loader
from bench.data.batches.pipeline import largest_batch, one_ahead
from bench.data.batches.slots import Slots
from bench.data.converting.prepare import prepare
from bench.data.input import InputConfig
from bench.data.store import Store


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture(45, 31), "JPEG", exif=exif)


IMAGES = {
    "color.jpg": encoded(picture(45, 31)),
    "gray.jpg": encoded(picture(45, 31, mode="L")),
    "alpha.png": encoded(picture(45, 31, mode="RGBA"), "PNG"),
    "ink.jpg": encoded(picture(45, 31, mode="CMYK")),
    "deep.tif": encoded(Image.fromarray(np.arange(45 * 31, dtype=np.uint16).reshape(31, 45) * 40), "TIFF"),
    "on_its_side.jpg": turned(6),
    "on_its_head.jpg": turned(3),
    "pixel.png": encoded(picture(1, 1), "PNG"),
    "line.png": encoded(picture(70, 1), "PNG"),
    "column.png": encoded(picture(1, 40), "PNG"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One image of each kind, without sizes, so that those are turned upright that are not."""
    folder: Path = tmp_path_factory.mktemp("kinds")
    entries = [{"id": i + 1, "file_name": name} for i, name in enumerate(IMAGES)]
    boxes = [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [2, 3, 8, 9]}]
    write_coco(folder / "data", IMAGES, coco_tree(entries, boxes))
    return prepare(folder / "data", folder / "store", workers=1)


def dirty(shape: tuple[int, ...]) -> "np.ndarray":
    """Memory that held another batch."""
    return np.full(shape, 201, np.uint8)


# Widths that fill their line of the batch are written to it by the resize kernel itself; others are copied.
SIZES = [(64, 64), (33, 64), (1, 96), (50, 70), (20, 1), (31, 45)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("row", range(len(IMAGES)), ids=list(IMAGES))
def test_an_image_in_a_batch_is_the_one_that_torchvision_resizes(
    store: Store, row: int, mirrored: bool, size: tuple[int, int]
):
    plain = samples.load(store, row, InputConfig())
    planes = plain.paint().contiguous()
    expected = F.resize(F.horizontal_flip(planes) if mirrored else planes, list(size), antialias=True)
    sample = samples.resize(samples.flip(plain) if mirrored else plain, *size)
    images = padded([sample], 32, dirty)
    height, width = size
    assert images.sizes == (size,)
    assert images.pixels.shape == (1, 3, -(-height // 32) * 32, -(-width // 32) * 32)
    assert torch.equal(images.pixels[0, :, :height, :width], expected)
    assert images.pixels.sum() == expected.sum()


def test_images_of_different_sizes_share_a_batch(store: Store):
    """The widest fills its lines, the others do not."""
    made = [samples.resize(samples.load(store, row, InputConfig()), *size) for row, size in enumerate(SIZES)]
    images = padded(made, 32, dirty)
    assert images.pixels.shape == (len(SIZES), 3, 64, 96)
    for i, sample in enumerate(made):
        alone = padded([sample], 1)
        height, width = sample.size
        assert torch.equal(images.pixels[i, :, :height, :width], alone.pixels[0])
        assert images.pixels[i].sum() == alone.pixels.sum()


def test_a_slot_comes_back_when_the_last_look_at_it_is_gone():
    slots = Slots(2, 60)
    first, second = slots.take(), slots.take()
    assert first is not None
    assert slots.take() is None
    pixels = slots.lend(first, (2, 5, 2, 3))
    part = pixels.permute(0, 3, 1, 2)[1].numpy()
    del pixels
    assert slots.take() is None
    del part
    assert slots.take() == first
    assert slots.fits(second, (2, 5, 2, 3))
    assert not slots.fits(second, (3, 5, 2, 3))
    assert not slots.fits(None, (1, 5, 2, 3))


def test_what_is_written_to_a_slot_is_lent():
    slots = Slots(3, 30)
    taken = [slots.take() for _ in range(3)]
    for slot in taken:
        slots.memory(slot, (1, 2, 5, 3)).fill(slot + 1)
    for slot in taken:
        assert torch.equal(slots.lend(slot, (1, 2, 5, 3)), torch.full((1, 2, 5, 3), slot + 1, dtype=torch.uint8))


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_that_are_kept_stay_as_they_were(tiny: dict[str, Store], workers: int):
    """More of them than there are slots."""
    config = InputConfig(min_size=(48, 64, 96), max_size=96)
    kept = list(islice(train_loader(tiny["train"], config, batch_size=4, seed=2, num_workers=workers), 30))
    for number, batch in enumerate(train_loader(tiny["train"], config, batch_size=4, seed=2)):
        if number == len(kept):
            break
        assert torch.equal(batch[0].pixels, kept[number][0].pixels)
        assert torch.equal(batch[2], kept[number][2])


@pytest.mark.parametrize("workers", [0, 1])
def test_memory_is_used_again(tiny: dict[str, Store], workers: int):
    config = InputConfig(min_size=(64,), max_size=64)
    places = {
        images.pixels.data_ptr()
        for images, _, _ in islice(train_loader(tiny["train"], config, batch_size=4, seed=2, num_workers=workers), 40)
    }
    assert len(places) <= 3 + 2 * workers


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_that_is_larger_than_its_slot_lies_elsewhere(
    tiny: dict[str, Store], workers: int, monkeypatch: pytest.MonkeyPatch
):
    config = InputConfig(mode="as_is", augment="ssd", min_size=(64,), max_size=64)
    expected = list(islice(train_loader(tiny["train"], config, batch_size=4, seed=2), 12))
    monkeypatch.setattr("bench.data.batches.loader.largest_batch", lambda *_: 4 * 64 * 64 * 3)
    found = train_loader(tiny["train"], config, batch_size=4, seed=2, num_workers=workers)
    assert any(batch[0].pixels.numel() > 4 * 64 * 64 * 3 for batch in expected)
    for number, (images, _, _) in enumerate(islice(found, 12)):
        assert torch.equal(images.pixels, expected[number][0].pixels)


def test_a_process_that_shares_no_memory_has_no_slots():
    slots = pickle.loads(pickle.dumps(Slots(2, 60)))
    assert slots.take() is None
    assert not slots.fits(0, (1, 5, 2, 3))
    assert slots.memory(0, (1, 5, 2, 3)).shape == (1, 5, 2, 3)


def test_the_largest_batch(store: Store):
    """Sides are 45 and 70 pixels at most."""
    square, as_is = InputConfig(mode="square", min_size=(40, 50)), InputConfig(mode="as_is", multiple_of=1)
    assert largest_batch(store, [square], 3) == 3 * 64 * 64 * 3
    assert largest_batch(store, [as_is], 1) == 45 * 70 * 3
    assert largest_batch(store, [InputConfig(min_size=(60,), max_size=90), square], 2) == 2 * 96 * 96 * 3


def test_the_next_item_is_made_while_one_is_used() -> None:
    made: list[int] = []
    second = Event()

    def items() -> Iterator[int]:
        for number in range(3):
            made.append(number)
            if number == 1:
                second.set()
            yield number

    ahead = one_ahead(items())
    assert next(ahead) == 0
    assert second.wait(10), "nobody asked for it yet"
    assert list(ahead) == [1, 2]
    assert made == [0, 1, 2]


def test_an_error_of_a_later_item_comes_in_its_place() -> None:
    ahead = one_ahead(10 // (2 - number) for number in range(5))
    assert [next(ahead), next(ahead)] == [5, 10]
    with pytest.raises(ZeroDivisionError):
        next(ahead)
