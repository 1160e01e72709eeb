"""Small data sets in the layouts that people have, written for the tests."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def picture(width: int, height: int, seed: int = 0, mode: str = "RGB") -> Image.Image:
    """Smooth noise, so that JPEG keeps it nearly as it is."""
    small = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def write_coco(root: Path, images: dict[str, bytes], tree: dict[str, Any], split: str = "val2017") -> Path:
    """annotations/instances_<split>.json and <split>/."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / split).mkdir(exist_ok=True)
    for name, content in images.items():
        path = root / split / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(tree))
    return root


def coco_tree(
    images: list[dict[str, Any]], annotations: list[dict[str, Any]], ids: tuple[int, ...] = (3, 7)
) -> dict[str, Any]:
    categories = [{"id": number, "name": f"class {number}"} for number in ids]
    return {"info": {"year": 2017}, "images": images, "annotations": annotations, "categories": categories}


def simple_coco(root: Path, count: int = 6, **annotation: Any) -> Path:
    """`count` images with one box each."""
    images = {f"{i}.jpg": encoded(picture(40, 30, i)) for i in range(count)}
    entries = [{"id": i + 10, "file_name": f"{i}.jpg", "width": 40, "height": 30} for i in range(count)]
    boxes = [
        {"id": i + 1, "image_id": i + 10, "category_id": 7, "bbox": [4, 5, 10 + i, 8], **annotation}
        for i in range(count)
    ]
    return write_coco(root, images, coco_tree(entries, boxes))


def voc_xml(size: tuple[int, int] | None, objects: list[dict[str, Any]], name: str = "x.jpg") -> str:
    """An annotation file; an object is its name, box and flags."""
    parts = [f"<annotation><filename>{name}</filename>"]
    if size is not None:
        parts.append(f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>")
    for item in objects:
        edges = "".join(
            f"<{edge}>{value}</{edge}>"
            for edge, value in zip(("xmin", "ymin", "xmax", "ymax"), item["box"], strict=True)
        )
        flags = "".join(f"<{flag}>1</{flag}>" for flag in item.get("flags", ()))
        parts.append(f"<object><name>{item['name']}</name>{flags}<bndbox>{edges}</bndbox></object>")
    return "".join(parts) + "</annotation>"


def write_voc(
    year: Path, annotations: dict[str, str], sets: dict[str, list[str]], size: tuple[int, int] = (50, 40)
) -> None:
    """One year of a devkit."""
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (year / folder).mkdir(parents=True, exist_ok=True)
    for name, xml in annotations.items():
        (year / "Annotations" / f"{name}.xml").write_text(xml)
        (year / "JPEGImages" / f"{name}.jpg").write_bytes(encoded(picture(*size, seed=len(name))))
    for name, members in sets.items():
        (year / "ImageSets" / "Main" / f"{name}.txt").write_text("\n".join(members) + "\n")


def write_yolo(
    root: Path,
    labels: dict[str, str],
    split: str = "train",
    names: str = "[cat, dog]",
    size: tuple[int, int] = (100, 50),
) -> None:
    """images/<split>, labels/<split> and data.yaml."""
    for folder in ("images", "labels"):
        (root / folder / split).mkdir(parents=True, exist_ok=True)
    for name, text in labels.items():
        (root / "images" / split / f"{name}.png").write_bytes(encoded(picture(*size), "PNG"))
        (root / "labels" / split / f"{name}.txt").write_text(text)
    (root / "data.yaml").write_text(f"path: .\ntrain: images/train\nval: images/{split}\nnames: {names}\n")


def write_cityscapes(
    root: Path, name: str, ids: "np.ndarray | None", polygons: dict[str, Any] | None, split: str = "val"
) -> None:
    """One image of a city, with an id image or polygons or both."""
    city, _, stem = name.partition("/")
    for folder in ("leftImg8bit", "gtFine"):
        (root / folder / split / city).mkdir(parents=True, exist_ok=True)
    size = (ids.shape[1], ids.shape[0]) if ids is not None else (polygons["imgWidth"], polygons["imgHeight"])
    (root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png").write_bytes(encoded(picture(*size), "PNG"))
    if ids is not None:
        Image.fromarray(ids.astype(np.uint16)).save(root / "gtFine" / split / city / f"{stem}_gtFine_instanceIds.png")
    if polygons is not None:
        (root / "gtFine" / split / city / f"{stem}_gtFine_polygons.json").write_text(json.dumps(polygons))
