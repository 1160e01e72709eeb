"""Raw predictions on disk: nothing is lost, shards are one, what is broken says so."""

import dataclasses
import json

import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from bench.errors import UserError
from bench.score.tables.raw_file import RawFile, RawHeader, RawWriter
from detectors.raw import Raw

HEADER = RawHeader(
    num_classes=4, class_names=("a", "b", "c", "d"), variant={"kind": "dense"}, fingerprint="f", floor=0.01
)


def make_raw(seed: int, images: int, number: int) -> Raw:
    draw = torch.Generator().manual_seed(seed)
    corner = torch.rand(number, 2, generator=draw) * 100

    def whole(high: int) -> Tensor:
        return torch.randint(0, high, (number,), generator=draw)

    return Raw(
        boxes=torch.cat([corner, corner + 1 + torch.rand(number, 2, generator=draw) * 50], 1),
        scores=torch.rand(number, generator=draw) * 0.98 + 0.015,
        labels=whole(4),
        image=whole(images),
        source=whole(5000),
        level=whole(5),
        num_images=images,
        quality={"iou": torch.rand(number, generator=draw), "purity": torch.rand(number, generator=draw)},
    )


def write(folder, shard, num_shards, raw, images, header=HEADER):
    with RawWriter(folder, header, shard, num_shards) as writer:
        writer.add(raw, images, [f"image {i}" for i in images])
    return writer.path


def assert_equal(a: Raw, b: Raw) -> None:
    for name in ("boxes", "scores", "labels", "image", "source", "level"):
        assert torch.equal(getattr(a, name), getattr(b, name)), name
        assert getattr(a, name).dtype == getattr(b, name).dtype
    assert a.quality.keys() == b.quality.keys()
    for name in a.quality:
        assert torch.equal(a.quality[name], b.quality[name])


def test_round_trip(tmp_path):
    raw = make_raw(0, images=6, number=300)
    write(tmp_path, 0, 1, raw, [0, 1, 2, 3, 4, 5])
    file = RawFile(tmp_path)
    assert (file.header, len(file), file.qualities) == (HEADER, 6, ("iou", "purity"))
    (back, images), *rest = list(file.batches(10))
    assert not rest
    assert images == [0, 1, 2, 3, 4, 5]
    assert_equal(back, raw.select(raw.image.argsort(stable=True)))


def test_batches_of_any_size_hold_every_image_once(tmp_path):
    write(tmp_path, 0, 1, make_raw(0, images=7, number=100), list(range(7)))
    whole, _ = next(RawFile(tmp_path).batches(7))
    for size in (1, 2, 3):
        parts = list(RawFile(tmp_path).batches(size))
        assert [image for _, images in parts for image in images] == list(range(7))
        assert torch.equal(torch.cat([part.boxes for part, _ in parts]), whole.boxes)
        assert all((part.image < part.num_images).all() for part, _ in parts)


def test_shards_are_read_as_one_in_the_order_of_images(tmp_path):
    first, second = make_raw(1, images=2, number=40), make_raw(2, images=2, number=40)
    write(tmp_path, 1, 2, second, [1, 3])
    write(tmp_path, 0, 2, first, [0, 2])
    back, images = next(RawFile(tmp_path).batches(9))
    assert images == [0, 1, 2, 3]
    assert torch.equal(back.select(back.image == 1).scores, second.select(second.image == 0).scores)


def test_workers_without_an_image_leave_shards_that_count_for_nothing(tmp_path):
    for shard in (0, 2):
        with RawWriter(tmp_path, HEADER, shard, 3):
            pass
    raw = make_raw(1, images=2, number=40)
    write(tmp_path, 1, 3, raw, [0, 1])
    file = RawFile(tmp_path)
    assert (len(file), file.qualities) == (2, ("iou", "purity"))
    back, images = next(file.batches(9))
    assert images == [0, 1]
    assert_equal(back, raw.select(raw.image.argsort(stable=True)))


def test_floor_and_scale(tmp_path):
    raw = make_raw(3, images=2, number=50)
    header = RawHeader(num_classes=4, floor=0.5)
    with RawWriter(tmp_path, header) as writer:
        writer.add(raw, [0, 1], ["a", "b"], scales=torch.tensor([2.0, 0.5]))
    back, _ = next(RawFile(tmp_path).batches(2))
    kept = raw.select(raw.scores > 0.5)
    kept = kept.select(kept.image.argsort(stable=True))
    assert torch.equal(back.scores, kept.scores)
    assert torch.equal(back.boxes, kept.boxes / torch.tensor([2.0, 0.5])[kept.image][:, None])


def test_images_without_candidates(tmp_path):
    raw = make_raw(0, images=3, number=20)
    write(tmp_path, 0, 1, raw.select(raw.image == 1), [0, 1, 2])
    back, images = next(RawFile(tmp_path).batches(5))
    assert images == [0, 1, 2]
    assert back.num_images == 3
    assert (back.image == 1).all()


def test_nothing_predicted_is_a_readable_file(tmp_path):
    with RawWriter(tmp_path, HEADER):
        pass
    assert len(RawFile(tmp_path)) == 0
    assert list(RawFile(tmp_path).batches(4)) == []


def test_a_writer_that_fails_leaves_no_file(tmp_path):
    broken = dataclasses.replace(make_raw(0, 1, 5), labels=torch.zeros(3))
    writer = RawWriter(tmp_path, HEADER)
    writer.add(make_raw(0, 1, 5), [0], ["a"])
    with pytest.raises(IndexError), writer:
        writer.add(broken, [1], ["b"])
    assert list(tmp_path.iterdir()) == []


def test_bad_files(tmp_path):
    with pytest.raises(UserError, match="no raw predictions there"):
        RawFile(tmp_path)
    path = write(tmp_path, 0, 2, make_raw(0, 1, 5), [0])
    with pytest.raises(UserError, match="1 of 2 shards"):
        RawFile(tmp_path)
    write(tmp_path, 1, 2, make_raw(0, 1, 5), [0])
    with pytest.raises(UserError, match="image 0 appears more than once"):
        RawFile(tmp_path).table  # noqa: B018
    write(tmp_path, 1, 2, make_raw(0, 1, 5), [1], header=RawHeader(num_classes=5))
    with pytest.raises(UserError, match="other settings"):
        RawFile(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="not a whole Parquet file"):
        RawFile(path)
    path.write_bytes(whole)
    header = json.dumps({"form": "raw predictions", "version": 9})
    pq.write_table(pq.read_table(path).replace_schema_metadata({"locbench": header}), path)
    with pytest.raises(UserError, match="schema version 9; this is version 1"):
        RawFile(path)
