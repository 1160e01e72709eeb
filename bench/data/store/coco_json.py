"""A store as ground truth in COCO's JSON form, for scorers and for other tools."""

from typing import Any

from bench.data.store import Store
from bench.data.store.row import Annotations


def to_coco(store: Store) -> dict[str, Any]:
    """Image ids are the source's, category ids too; annotation ids count from 1, because 0 confuses COCO's scorer."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    categories = store.manifest.classes
    for index in range(len(store)):
        found = store.annotations(index)
        images.append(
            {"id": found.image_id, "file_name": found.source_id, "width": found.width, "height": found.height}
        )
        for i in range(len(found)):
            annotations.append(_annotation(found, i, len(annotations) + 1, categories[int(found.labels[i])].source_id))
    return {
        "info": {"description": f"split {store.manifest.split}", "fingerprint": store.fingerprint},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": item.source_id, "name": item.name} for item in categories],
    }


def _annotation(found: Annotations, i: int, annotation_id: int, category_id: int) -> dict[str, Any]:
    x1, y1, x2, y2 = found.boxes[i].astype(float).tolist()
    tree = {
        "id": annotation_id,
        "image_id": found.image_id,
        "category_id": category_id,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": float(found.area[i]),
        "iscrowd": int(found.iscrowd[i]),
        "ignore": int(found.difficult[i]),
    }
    if found.masks is not None and found.masks[i]:
        tree["segmentation"] = {"size": [found.height, found.width], "counts": found.masks[i].decode()}
    return tree
