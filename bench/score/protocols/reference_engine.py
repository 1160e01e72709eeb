"""COCO's evaluation by pycocotools, fed with arrays: the reference."""

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bench.score.protocols.protocol import AREAS, IOU_THRESHOLDS, RECALL_THRESHOLDS
from bench.score.protocols.side import Side
from bench.score.tables.ground_truth import GroundTruth


def accumulate(truth: Side, found: Side, names: GroundTruth, masks: bool) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall."""
    sizes = zip(names.image_ids.tolist(), names.sizes.tolist(), strict=True)
    images = [{"id": i, "width": width, "height": height} for i, (width, height) in sorted(sizes)]
    classes = [{"id": label, "name": name} for label, name in enumerate(names.class_names)]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(
            as_coco(truth, images, classes), as_coco(found, images, classes), "segm" if masks else "bbox"
        )
        evaluation.params.iouThrs, evaluation.params.recThrs = IOU_THRESHOLDS, RECALL_THRESHOLDS
        evaluation.params.areaRng, evaluation.params.areaRngLbl = list(AREAS.values()), list(AREAS)
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation.eval["precision"], evaluation.eval["recall"]


def as_coco(side: Side, images: list[dict[str, Any]], classes: list[dict[str, Any]]) -> COCO:
    values = (side.image_ids, side.labels, side.xywh, side.area, side.iscrowd.astype(int), side.scores)
    names = ("image_id", "category_id", "bbox", "area", "iscrowd", "score")
    records = [dict(zip(names, row, strict=True)) for row in zip(*(v.tolist() for v in values), strict=True)]
    for number, record in enumerate(records):
        record["id"] = number + 1
        if side.masks is not None:
            record["segmentation"] = side.masks[number]
    coco = COCO()
    coco.dataset = {"images": images, "categories": classes, "annotations": records}
    coco.createIndex()
    return coco
