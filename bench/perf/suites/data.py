"""Reading data: batches beside torchvision's CocoDetection and DataLoader, conversion, opening a large store."""

import contextlib
import io
import json
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.datasets import CocoDetection, wrap_dataset_for_transforms_v2
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.transforms import v2

from bench.data.batches.batch import resized
from bench.data.batches.loader import train_loader
from bench.data.chunks.synthetic import scene_record
from bench.data.converting.prepare import prepare
from bench.data.formats import coco
from bench.data.input import InputConfig
from bench.data.scenes.scene import Style
from bench.data.store import INDEX_FILE, ShardReader, Store
from bench.data.store.manifest import Shard
from bench.perf.harness import Case, close

# 640 x 480 becomes 800 x 600 by the rule of the 600/1000 tables, which torchvision rounds to the same size.
WIDTH, HEIGHT, SHORT, LONG = 640, 480, 600, 1000
IMAGES = 64
BATCH = 4
EPOCHS = 8
"""Of one measurement: loader processes start once in it, as they do in a training."""
CONVERTED = 2048
MANY_ROWS = 1_000_000
INPUT = InputConfig(min_size=(SHORT,), max_size=LONG, flip=0.0, group_by_aspect=False, skip_empty=False)


def cases(device: torch.device) -> Iterator[Case]:
    """Everything here runs on the processor, whatever the device."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_coco(root / "few", IMAGES)
        config = coco.Config(root=str(root / "few"), train="annotations/instances_train.json", val="")
        with _quiet():
            store = prepare(config, root / "store", split="train", workers=1)
        yield from _reading(store, root / "few")
        yield _share(store)
        write_coco(root / "many", CONVERTED)
        yield _conversion(root)
        yield Case(f"open a store of {MANY_ROWS:,} rows", partial(_open, repeated(store, root / "large")))


def _reading(store: Store, root: Path) -> Iterator[Case]:
    """One case a way of writing the peer's transforms, and one with worker processes on both sides."""
    ways: tuple[tuple[str, Any, float], ...] = (
        ("transforms on PIL images", v2.Compose([v2.Resize(SHORT, max_size=LONG), v2.ToImage()]), 3 / 255),
        ("transforms on tensors", v2.Compose([v2.ToImage(), v2.Resize(SHORT, max_size=LONG)]), 0.0),
    )
    for workers in (0, 2):
        for name, transforms, tolerance in ways:
            yield Case(
                f"decode, resize, batch; {workers} workers; {name}",
                ours=partial(ours, store, workers, EPOCHS),
                peer=torchvision_side(root, transforms, store, workers, EPOCHS),
                peer_name="torchvision CocoDetection + DataLoader",
                agree=partial(close, tolerance=tolerance or 1e-5),
                items=IMAGES * EPOCHS,
                unit="image",
            )


def ours(store: Store, workers: int, epochs: int = 1) -> dict[str, torch.Tensor]:
    """Some epochs; the last batch is the output to compare."""
    loader = train_loader(store, INPUT, batch_size=BATCH, seed=0, num_workers=workers)
    last = deque(islice(loader, len(loader) * epochs), maxlen=1).pop()
    return {"pixels": last[0].pixels, "boxes": torch.cat([target["boxes"] for target in last[1]])}


def torchvision_side(
    root: Path, transforms: Any, store: Store, workers: int, epochs: int = 1
) -> Callable[[], dict[str, torch.Tensor]]:
    """The peer as its documentation builds it, in our order, padded by torchvision's own batching."""
    with contextlib.redirect_stdout(io.StringIO()):
        data = CocoDetection(root / "train", root / "annotations/instances_train.json", transforms=transforms)
    wrapped = wrap_dataset_for_transforms_v2(data, target_keys=("boxes", "labels"))
    sampler = train_loader(store, INPUT, batch_size=BATCH, seed=0).sampler
    order = [batch for epoch in range(epochs) for batch in sampler.order(epoch).tolist()]

    def read() -> dict[str, torch.Tensor]:
        loader = DataLoader(wrapped, batch_sampler=order, num_workers=workers, collate_fn=_padded)
        last = deque(loader, maxlen=1).pop()
        return {"pixels": last[0], "boxes": torch.cat([torch.Tensor(target["boxes"]) for target in last[1]])}

    return read


def _padded(samples: list[tuple[Any, dict[str, Any]]]) -> tuple[torch.Tensor, list[dict[str, Any]]]:
    batching = GeneralizedRCNNTransform(SHORT, LONG, [0.0] * 3, [1.0] * 3)
    images, targets = zip(*samples, strict=True)
    return batching.batch_images([torch.Tensor.as_subclass(image, torch.Tensor) for image in images]), list(targets)


def _share(store: Store) -> Case:
    """How much of reading is libjpeg and the resize kernel: the ratio is their share of our time."""
    encoded = [torch.frombuffer(bytearray(store.row(i).image), dtype=torch.uint8) for i in range(len(store))]

    def kernels() -> None:
        for image in encoded * EPOCHS:
            pixels = decode_jpeg(image, mode=ImageReadMode.RGB)
            resized(pixels, SHORT, WIDTH * SHORT // HEIGHT)

    return Case(
        "share of libjpeg and resize in reading",
        ours=partial(ours, store, 0, EPOCHS),
        peer=kernels,
        peer_name="decode_jpeg + interpolate alone",
        items=IMAGES * EPOCHS,
        unit="image",
        note="the ratio is the share; 1 would be no overhead at all",
    )


def _conversion(root: Path) -> Case:
    """COCO layout to a store on two processes."""
    config = coco.Config(root=str(root / "many"), train="annotations/instances_train.json", val="")
    numbers = iter(range(10**6))

    def convert() -> None:
        with _quiet():
            prepare(config, root / f"converted {next(numbers)}", split="train", workers=2)

    return Case(f"convert {CONVERTED} JPEGs in COCO layout on 2 processes", convert, items=CONVERTED, unit="image")


def write_coco(root: Path, count: int, distinct: int = 32) -> None:
    """`count` JPEGs in COCO layout: a few scenes again and again, each file made different by a comment."""
    (root / "train").mkdir(parents=True)
    (root / "annotations").mkdir()
    style = Style(size=WIDTH, classes=6, objects=(3, 12), difficulty=50)
    scenes = [_jpeg(style, index) for index in range(min(count, distinct))]
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for i in range(count):
        jpeg, objects = scenes[i % distinct]
        name = f"{i:012d}"
        (root / "train" / f"{name}.jpg").write_bytes(jpeg[:2] + b"\xff\xfe\x00\x0e" + name.encode() + jpeg[2:])
        images.append({"id": i + 1, "file_name": f"{name}.jpg", "width": WIDTH, "height": HEIGHT})
        annotations += [{"id": len(annotations) + n + 1, "image_id": i + 1, **item} for n, item in enumerate(objects)]
    categories = [{"id": number + 1, "name": f"class {number}"} for number in range(style.classes)]
    tree = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations/instances_train.json").write_text(json.dumps(tree))


def _jpeg(style: Style, index: int) -> tuple[bytes, list[dict[str, Any]]]:
    """The upper part of a scene, and the objects that lie in it."""
    record = scene_record(style, 0, "perf", index)
    buffer = io.BytesIO()
    Image.open(io.BytesIO(record.image)).crop((0, 0, WIDTH, HEIGHT)).save(buffer, "JPEG", quality=90)
    objects = []
    for item in record.objects:
        x1, y1, x2, y2 = map(float, item.box or ())
        if y2 <= HEIGHT:
            outline = [[x1, y1, x2, y1, x2, y2, x1, y2]]
            box = [x1, y1, x2 - x1, y2 - y1]
            objects.append(
                {"category_id": (item.label or 0) + 1, "bbox": box, "area": item.area, "segmentation": outline}
            )
    return buffer.getvalue(), objects


def repeated(store: Store, folder: Path, rows: int = MANY_ROWS) -> Path:
    """A store of many rows that takes no room: one shard under many names."""
    folder.mkdir()
    shard = store.manifest.shards[0]
    times = -(-rows // shard.rows)
    shards = tuple(Shard(f"shard-{i:06d}.arrow", shard.rows) for i in range(times))
    for other in shards:
        os.link(store.path / shard.file, folder / other.file)
    index = ShardReader(store.path / INDEX_FILE).file.read_all()
    with pa.OSFile(str(folder / INDEX_FILE), "wb") as sink, pa.ipc.new_file(sink, index.schema) as writer:
        for _ in range(times):
            writer.write_table(index)
    replace(store.manifest, shards=shards).save(folder)
    return folder


def _open(folder: Path) -> None:
    """Opens, reads a row at each end, and the sizes of all images."""
    store = Store.open(folder)
    store.row(0)
    store.row(len(store) - 1)
    store.column("width")


def _quiet() -> contextlib.AbstractContextManager[Any]:
    return contextlib.redirect_stderr(io.StringIO())
