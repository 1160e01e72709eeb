"""Several sizes and mirrored images: equal to predicting each by itself, moving boxes back, and one `post`."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import detectors
from bench.data.batches.decode import decode
from bench.data.input import InputConfig, View
from bench.data.store import Store
from bench.errors import UserError
from bench.score.tables.raw_file import RawFile, RawHeader, RawWriter
from bench.train.distributed.place import Place
from bench.train.predicting.predict import predict
from bench.train.predicting.views import Seen, pooled
from detectors import zoo
from detectors.detector import Detector
from detectors.raw import Raw

CPU = Place(torch.device("cpu"))
LEVELS, SOURCES = 10, 100_000


def model_of(variant: str) -> Detector:
    torch.manual_seed(0)
    config = zoo.config(variant)
    return detectors.build(
        replace(config, floor=0.001, post=replace(config.post, score_threshold=0.001, per_level=20)), 3
    ).eval()


def moved(raw: Raw, number: int, view: int, scale: tuple[float, float], mirrored_width: int | None) -> Raw:
    """One image's candidates in source pixels; levels and sources counted on by hand."""
    boxes = []
    for x1, y1, x2, y2 in raw.boxes.tolist():
        left, right = (x1, x2) if mirrored_width is None else (mirrored_width - x2, mirrored_width - x1)
        boxes.append([left / scale[0], y1 / scale[1], right / scale[0], y2 / scale[1]])
    return replace(
        raw,
        boxes=torch.tensor(boxes).reshape(-1, 4),
        image=torch.full_like(raw.image, number),
        level=raw.level + LEVELS * view,
        source=raw.source + SOURCES * view,
    )


@torch.no_grad()
def slow(model: Detector, store: Store, sides: list[int], flip: bool) -> list[dict[str, Tensor]]:
    """Each image in each view by itself."""
    parts: list[Raw] = []
    for number in range(len(store)):
        whole = decode(store.image(number))
        for view, (side, mirrored) in enumerate((s, m) for s in sides for m in ([False, True] if flip else [False])):
            pixels = whole.flip(-1) if mirrored else whole
            pixels = functional.interpolate(pixels[None], size=(side, side), mode="bilinear", antialias=True)[0]
            raw = model.predict_raw([pixels])
            scale = (side / whole.shape[-1], side / whole.shape[-2])
            parts.append(moved(raw, number, view, scale, side if mirrored else None))
    columns = {
        name: torch.cat([getattr(part, name) for part in parts])
        for name in ("boxes", "scores", "labels", "image", "source", "level")
    }
    quality = {name: torch.cat([part.quality[name] for part in parts]) for name in parts[0].quality}
    return model.post(Raw(**columns, num_images=len(store), quality=quality))


@pytest.mark.parametrize("variant", ["paa_tiny", "retinanet_tiny", "faster_rcnn_tiny_iou"])
@pytest.mark.parametrize(("sides", "flip"), [([64, 96], True), ([80], True), ([96, 64, 48], False)])
def test_equals_each_view_by_itself(
    variant: str, sides: list[int], flip: bool, stores: dict[str, Store], tmp_path: Path
) -> None:
    """Through a file of raw predictions, to which any `post` can be applied."""
    model, store = model_of(variant), stores["val"]
    input = InputConfig(mode="square", min_size=(64,), test_sizes=tuple(sides), test_flip=flip)
    done: list[int] = []
    with RawWriter(tmp_path, RawHeader(num_classes=3)) as writer:
        predicted = predict(model, store, input, writer, batch_size=4, place=CPU, advance=done.append)
    assert (predicted.images, done) == (6, [4, 2])
    (raw, rows) = next(RawFile(tmp_path).batches(100))
    assert rows == list(range(6))
    ours, expected = model.post(raw), slow(model, store, sides, flip)
    for mine, other in zip(ours, expected, strict=True):
        assert len(other["scores"]) > 10
        torch.testing.assert_close(mine["scores"], other["scores"], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(mine["boxes"], other["boxes"], rtol=1e-4, atol=1e-2)
        assert mine.keys() == other.keys()


def test_one_plain_view_is_plain_evaluation() -> None:
    input = InputConfig(min_size=(600, 800), max_size=1333)
    assert input.views() == (View(replace(input, min_size=(800,))),)
    square = InputConfig(mode="square", min_size=(300,))
    assert square.views() == (View(square),)


def test_sizes_come_with_their_bounds_and_each_in_both_directions() -> None:
    input = InputConfig(min_size=(600, 800), max_size=1333, test_sizes=(400, 1200), test_flip=True)
    views = input.views()
    assert [(view.input.min_size, view.input.max_size, view.mirrored) for view in views] == [
        ((400,), 666, False),
        ((400,), 666, True),
        ((1200,), 2000, False),
        ((1200,), 2000, True),
    ]
    assert [view.input.target_size(480, 1280, view.input.eval_size()) for view in views[::2]] == [
        (250, 666),
        (750, 2000),
    ]


def test_images_as_they_are_have_no_sizes_but_can_be_mirrored() -> None:
    for sizes in ((), (400, 600)):
        views = InputConfig(mode="as_is", test_sizes=sizes, test_flip=True).views()
        assert [view.mirrored for view in views] == [False, True]


def seen(count: int, levels: int, images: int = 2) -> Seen:
    image = torch.arange(count) % images
    raw = Raw(
        boxes=torch.rand(count, 4),
        scores=torch.rand(count),
        labels=torch.zeros(count, dtype=torch.int64),
        image=image,
        source=torch.arange(count),
        level=torch.arange(count) % levels,
        num_images=images,
    )
    return Seen(View(InputConfig()), raw, ((10, 10),) * images, torch.ones(images, 2))


def test_sources_and_levels_of_views_are_others_within_each_image() -> None:
    raw = pooled([seen(12, 5), seen(0, 1), seen(7, 3), seen(30, 4)])
    assert len(raw) == 49
    for image in range(2):
        mine = raw.select(raw.image == image)
        assert len(set(mine.source.tolist())) == len(mine)
    first, last = raw.level[:12], raw.level[19:]
    assert first.max() < last.min()


def test_more_levels_than_a_file_can_hold_are_refused() -> None:
    pooled([seen(8, 8, 1)] * 16)
    with pytest.raises(UserError, match=r"input.test_sizes: 17 views have 136 levels .* 128 apart; name fewer sizes"):
        pooled([seen(8, 8, 1)] * 17)
