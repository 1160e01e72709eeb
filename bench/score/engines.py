"""COCO's evaluation by its two engines: faster-coco-eval's compiled core, fed with arrays, and pycocotools.

Both give precision [T, R, K, A, M] and recall [T, K, A, M] over IoU thresholds, recall thresholds, classes, areas and
numbers of detections, -1 where a class has no objects; tests hold them equal.
"""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bench.errors import UserError
from bench.score.detections import Detections
from bench.score.ground_truth import GroundTruth
from bench.score.protocol import AREAS, IOU_THRESHOLDS, MAX_DETECTIONS, RECALL_THRESHOLDS

Engine = Literal["faster", "reference"]


@dataclass(frozen=True)
class Accumulated:
    precision: np.ndarray
    recall: np.ndarray
    engine: str


@dataclass(frozen=True)
class Side:
    """Objects of ground truth or detections, in one order for both engines."""

    image_ids: np.ndarray
    labels: np.ndarray
    xywh: np.ndarray
    area: np.ndarray
    iscrowd: np.ndarray
    scores: np.ndarray
    masks: tuple[Any, ...] | None


def accumulate(truth: GroundTruth, detections: Detections, masks: bool, engine: Engine | None = None) -> Accumulated:
    """By the given engine, or by the fast one where it is installed."""
    sides = _truth_side(truth, masks), _detection_side(truth, detections, masks)
    if engine == "reference" or (engine is None and not _faster_installed()):
        return _by_reference(*sides, truth, masks)
    return _by_faster(*sides, np.sort(truth.image_ids), truth.num_classes)


def _truth_side(truth: GroundTruth, masks: bool) -> Side:
    if masks and (truth.masks is None or any(mask is None for mask in truth.masks)):
        raise UserError("the ground truth has objects without masks", remedy="choose a protocol for boxes")
    return Side(
        truth.image_ids[truth.image],
        truth.labels,
        truth.xywh,
        truth.area,
        truth.iscrowd,
        np.ones(len(truth)),
        truth.masks if masks else None,
    )


def _detection_side(truth: GroundTruth, detections: Detections, masks: bool) -> Side:
    if masks and detections.masks is None and len(detections):
        raise UserError("the detections have no masks", where=detections.where, remedy="choose a protocol for boxes")
    return Side(
        truth.image_ids[detections.image],
        detections.labels,
        detections.xywh,
        detections.mask_area if masks else detections.box_area,
        np.zeros(len(detections), bool),
        detections.scores,
        detections.masks if masks else None,
    )


def _faster_installed() -> bool:
    try:
        import faster_coco_eval.faster_eval_api_cpp  # noqa: F401
    except ImportError:
        return False
    return True


class _Parameters:
    """What the compiled core reads, under the names that it looks for."""

    def __init__(self, image_ids: list[int], class_ids: list[int]) -> None:
        self.imgIds, self.catIds, self.useCats = image_ids, class_ids, 1
        self.iouThrs, self.recThrs = IOU_THRESHOLDS.tolist(), RECALL_THRESHOLDS.tolist()
        self.maxDets, self.areaRng, self.areaRngLbl = list(MAX_DETECTIONS), list(map(list, AREAS.values())), list(AREAS)


def _by_faster(truth: Side, found: Side, image_ids: np.ndarray, num_classes: int) -> Accumulated:
    import faster_coco_eval.faster_eval_api_cpp as core

    parameters = _Parameters(image_ids.tolist(), list(range(num_classes)))
    ious = _iou_cells(truth, found, image_ids, num_classes)
    result = core.COCOevalEvaluateAccumulate(
        parameters,
        ious,
        _dataset(core.Dataset(), truth),
        _dataset(core.Dataset(), found),
        parameters.imgIds,
        parameters.catIds,
        True,
    )
    shape = len(IOU_THRESHOLDS), num_classes, len(AREAS), len(MAX_DETECTIONS)
    precision = np.asarray(result["precision"]).reshape(shape[0], len(RECALL_THRESHOLDS), *shape[1:])
    return Accumulated(precision, np.asarray(result["recall"]).reshape(shape), "faster-coco-eval")


def _dataset(dataset: Any, side: Side) -> Any:
    crowd = side.iscrowd.astype(int)
    columns = (side.image_ids, side.labels, side.area, side.scores, crowd)
    for number, (image, label, area, score, flag) in enumerate(zip(*(c.tolist() for c in columns), strict=True), 1):
        record = {"id": number, "score": score, "area": area, "iscrowd": flag, "ignore": flag}
        dataset.append_ref(image, label, record)
    return dataset


def _iou_cells(truth: Side, found: Side, image_ids: np.ndarray, num_classes: int) -> list[list[Any]]:
    """For every image and class the IoU of its best-ranked detections with its objects."""
    cells: list[Any] = [[]] * (len(image_ids) * num_classes)
    for cell, ds, gs in _shared_cells(truth, found, image_ids, num_classes):
        cells[cell] = _ious(truth, found, ds, gs)
    return [cells[start : start + num_classes] for start in range(0, len(cells), num_classes)] if num_classes else []


def _shared_cells(
    truth: Side, found: Side, image_ids: np.ndarray, num_classes: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """(image, class) cells that have both objects and detections: cell, detections by falling score, objects."""
    cell_of = [np.searchsorted(image_ids, side.image_ids) * num_classes + side.labels for side in (truth, found)]
    num_cells = len(image_ids) * num_classes
    by_object = np.argsort(cell_of[0], kind="stable")
    by_score = np.argsort(-found.scores, kind="stable")
    by_detection = by_score[np.argsort(cell_of[1][by_score], kind="stable")]
    counts = [np.bincount(cells, minlength=num_cells) for cells in cell_of]
    starts = [np.cumsum(count) - count for count in counts]
    for cell in np.flatnonzero((counts[0] > 0) & (counts[1] > 0)).tolist():
        g, d = starts[0][cell], starts[1][cell]
        ds = by_detection[d : d + min(counts[1][cell], MAX_DETECTIONS[-1])]
        yield cell, ds, by_object[g : g + counts[0][cell]]


def _ious(truth: Side, found: Side, ds: np.ndarray, gs: np.ndarray) -> list[list[float]]:
    from faster_coco_eval.core import mask as fast_mask

    crowd = truth.iscrowd[gs].astype(int).tolist()
    if truth.masks is None or found.masks is None:
        values = fast_mask.iou(found.xywh[ds], truth.xywh[gs], crowd)
    else:
        values = fast_mask.iou([found.masks[d] for d in ds], [truth.masks[g] for g in gs], crowd)
    listed: list[list[float]] = values.tolist()
    return listed


def _by_reference(truth: Side, found: Side, names: GroundTruth, masks: bool) -> Accumulated:
    sizes = zip(names.image_ids.tolist(), names.sizes.tolist(), strict=True)
    images = [{"id": i, "width": width, "height": height} for i, (width, height) in sorted(sizes)]
    classes = [{"id": label, "name": name} for label, name in enumerate(names.class_names)]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(_coco(truth, images, classes), _coco(found, images, classes), "segm" if masks else "bbox")
        evaluation.params.iouThrs, evaluation.params.recThrs = IOU_THRESHOLDS, RECALL_THRESHOLDS
        evaluation.params.areaRng, evaluation.params.areaRngLbl = list(AREAS.values()), list(AREAS)
        evaluation.evaluate()
        evaluation.accumulate()
    return Accumulated(evaluation.eval["precision"], evaluation.eval["recall"], "pycocotools")


def _coco(side: Side, images: list[dict[str, Any]], classes: list[dict[str, Any]]) -> COCO:
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
