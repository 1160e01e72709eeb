"""Images of any kind become upright 8-bit RGB; sizes follow the papers; augmentation is f(seed, epoch, row)."""

import io
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pytest
import torch
from layouts import coco_tree, encoded, picture, write_coco
from PIL import Image, ImageOps

from bench.data.batches import sample as samples
from bench.data.batches.augment import augment, generator
from bench.data.batches.decode import decode
from bench.data.batches.loader import train_loader
from bench.data.converting.prepare import prepare
from bench.data.input import InputConfig
from bench.data.store import Store
from bench.data.store.row import Row
from bench.errors import UserError

KINDS = [
    ("RGB", "JPEG", {}),
    ("RGB", "JPEG", {"progressive": True}),
    ("L", "JPEG", {}),
    ("CMYK", "JPEG", {}),
    ("RGB", "PNG", {}),
    ("RGBA", "PNG", {}),
    ("LA", "PNG", {}),
    ("P", "PNG", {}),
    ("1", "PNG", {}),
    ("RGB", "WEBP", {}),
    ("RGB", "BMP", {}),
    ("RGB", "TIFF", {}),
    ("P", "GIF", {}),
]


def pixels_of(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


@pytest.mark.parametrize(("mode", "form", "options"), KINDS)
def test_every_kind_of_image_decodes_as_pillow_does(mode: str, form: str, options: dict):
    data = encoded(picture(41, 29, mode=mode), form, **options)
    found = decode(data)
    expected = pixels_of(Image.open(io.BytesIO(data)))
    assert found.dtype == torch.uint8
    assert (found.int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight(form: str):
    deep = np.linspace(0, 65535, 40 * 30).astype(np.uint16).reshape(30, 40)
    found = decode(encoded(Image.fromarray(deep), form))
    np.testing.assert_array_equal(found.numpy(), np.broadcast_to((deep >> 8).astype(np.uint8), (3, 30, 40)))


def oriented(orientation: int, form: str = "PNG") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture(40, 30), form, exif=exif)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_their_exif_says(tmp_path: Path, orientation: int):
    """Without annotated sizes the image is taken as people see it."""
    data = oriented(orientation)
    row = only_row(tmp_path, data)
    expected = pixels_of(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert (row.orientation, row.height, row.width) == (orientation, *expected.shape[1:])
    assert torch.equal(decode(row.image, row.orientation), expected)


def test_annotated_sizes_decide_the_frame_of_the_boxes(tmp_path: Path):
    """Annotations made on the pixels as stored, and on the image as shown."""
    stored = only_row(tmp_path / "stored", oriented(6), width=40, height=30)
    shown = only_row(tmp_path / "shown", oriented(6), width=30, height=40)
    assert (stored.orientation, shown.orientation) == (1, 6)
    assert decode(stored.image, stored.orientation).shape == (3, 30, 40)
    assert decode(shown.image, shown.orientation).shape == (3, 40, 30)


def only_row(root: Path, data: bytes, **size: int) -> Row:
    box = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 5, 5]}
    tree = coco_tree([{"id": 1, "file_name": "a.png", **size}], [box])
    write_coco(root / "data", {"a.png": data}, tree)
    return prepare(root / "data", root / "store", workers=1).row(0)


def test_an_image_that_cannot_be_decoded_is_named():
    with pytest.raises(UserError, match=r"mine: a\.jpg: image cannot be decoded"):
        decode(b"\xff\xd8\xff\xe0 no more", where="mine: a.jpg")


RULES = [
    (InputConfig(), 480, 640, (800, 1067)),
    (InputConfig(), 480, 1280, (500, 1333)),
    (InputConfig(min_size=(800,), max_size=1200), 480, 640, (800, 1067)),
    (InputConfig(min_size=(800,), max_size=1200), 400, 800, (600, 1200)),
    (InputConfig(min_size=(600,), max_size=1000), 375, 500, (600, 800)),
    (InputConfig(min_size=(600,), max_size=1000), 1000, 300, (1000, 300)),
    (InputConfig(mode="square", min_size=(300,)), 480, 640, (300, 300)),
    (InputConfig(mode="square", min_size=(512,)), 480, 640, (512, 512)),
    (InputConfig(mode="as_is"), 37, 91, (37, 91)),
    (InputConfig(min_size=(1,), max_size=10), 1, 5000, (1, 10)),
]


@pytest.mark.parametrize(("config", "height", "width", "expected"), RULES)
def test_the_papers_sizes(config: InputConfig, height: int, width: int, expected: tuple[int, int]):
    assert config.target_size(height, width, config.eval_size()) == expected


def test_sizes_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="min_size: 800 is above max_size 600; raise max_size"):
        InputConfig(min_size=(800,), max_size=600)
    with pytest.raises(ValueError, match="min_size: names no size"):
        InputConfig(min_size=())


def test_augmentation_depends_on_seed_epoch_and_row_alone(tiny: dict[str, Store]):
    config = InputConfig(min_size=(48, 64, 80), max_size=96, augment="ssd")

    def made(seed: int, epoch: int, row: int) -> samples.Sample:
        return augment(samples.load(tiny["train"], row, config), config, generator(seed, epoch, row))

    first = made(1, 2, 3)
    assert torch.equal(first.paint(), made(1, 2, 3).paint())
    others = [made(2, 2, 3), made(1, 3, 3)]
    assert all(other.size != first.size or not torch.equal(other.paint(), first.paint()) for other in others)


@pytest.mark.parametrize("place", [(0, 0, 0), (7, 3, 123_456), (2**32, 2**20, 2**39)])
def test_the_chance_of_an_image_is_philox_under_a_key(place: tuple[int, int, int]):
    seed, epoch, row = place
    key = np.array([seed, epoch * 2**40 + row], np.uint64)
    expected = np.random.Generator(np.random.Philox(key=key))
    np.testing.assert_array_equal(generator(*place).integers(2**63, size=9), expected.integers(2**63, size=9))


def test_all_sizes_and_both_directions_are_drawn(tiny: dict[str, Store]):
    """A flipped image is the mirrored one, boxes and all, up to the rounding of the resize."""
    config = InputConfig(min_size=(64,), max_size=64)
    plain = samples.load(tiny["train"], 0, config)
    mirrored = 0
    for epoch in range(40):
        found = augment(plain, config, generator(0, epoch, 0))
        if not torch.equal(found.paint(), plain.paint()):
            assert torch.equal(found.paint(), plain.paint().flip(-1))
            np.testing.assert_array_equal(found.boxes[:, [2, 0]], 64 - plain.boxes[:, [0, 2]])
            mirrored += 1
    assert 10 <= mirrored <= 30
    config = InputConfig(min_size=(48, 64, 80), max_size=96)
    sizes = {augment(plain, config, generator(0, epoch, 0)).size for epoch in range(30)}
    assert sizes == {(48, 48), (64, 64), (80, 80)}


def test_groups_of_one_orientation_and_images_without_objects(tmp_path: Path):
    """Nine landscape and nine portrait images, one of each without a box and one of each with a crowd only."""
    images, boxes, files = [], [], {}
    for i in range(18):
        width, height = (40, 30) if i % 2 else (30, 40)
        files[f"{i}.jpg"] = encoded(picture(width, height, i))
        images.append({"id": i + 1, "file_name": f"{i}.jpg"})
        if i >= 2:
            boxes.append({"id": i, "image_id": i + 1, "category_id": 3, "bbox": [1, 1, 9, 9], "iscrowd": int(i < 4)})
    write_coco(tmp_path / "data", files, coco_tree(images, boxes))
    store = prepare(tmp_path / "data", tmp_path / "store", workers=1)
    config = InputConfig(min_size=(32,), max_size=64)
    loader = train_loader(store, config, batch_size=4, seed=0)
    assert len(loader) == 4
    rows = [batch[2].tolist() for batch in islice(loader, 4)]
    assert set(chain(*rows)) == set(range(4, 18))
    portrait = store.column("height") > store.column("width")
    assert [len(set(portrait[batch].tolist())) for batch in rows[:2]] == [1, 1]
    everything = train_loader(store, InputConfig(min_size=(32,), skip_empty=False), batch_size=6, seed=0)
    assert sorted(chain(*(batch[2].tolist() for batch in islice(everything, 3)))) == list(range(18))


@pytest.mark.parametrize(
    ("difficult", "boxes", "crowds"), [("ignore", 2, [False, True]), ("use", 2, [False, False]), ("drop", 1, [False])]
)
def test_what_is_done_with_difficult_objects(tmp_path: Path, difficult: str, boxes: int, crowds: list[bool]):
    box = {"image_id": 1, "category_id": 3, "bbox": [1, 1, 5, 5]}
    tree = coco_tree([{"id": 1, "file_name": "a.jpg"}], [{"id": 1, **box}, {"id": 2, "ignore": 1, **box}])
    write_coco(tmp_path / "data", {"a.jpg": encoded(picture(40, 30))}, tree)
    store = prepare(tmp_path / "data", tmp_path / "store", workers=1)
    config = InputConfig(min_size=(32,), max_size=64, difficult=difficult)
    _, (target,), _ = next(iter(train_loader(store, config, batch_size=1, seed=0)))
    assert (len(target["boxes"]), target["iscrowd"].tolist()) == (boxes, crowds)
