"""COCO's evaluation by faster-coco-eval's compiled core, fed with arrays.

Class by class, with the images that have anything of it: the core looks at every pair of an image and a class, most of
which are empty, and holds all it is given in memory.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.score.protocols.protocol import AREAS, IOU_THRESHOLDS, MAX_DETECTIONS, RECALL_THRESHOLDS
from bench.score.protocols.side import Side


class _Parameters:
    """What the core reads, under the names that it looks for."""

    def __init__(self, image_ids: list[int]) -> None:
        self.imgIds, self.catIds, self.useCats = image_ids, [0], 1
        self.iouThrs, self.recThrs = IOU_THRESHOLDS.tolist(), RECALL_THRESHOLDS.tolist()
        self.maxDets, self.areaRng, self.areaRngLbl = list(MAX_DETECTIONS), list(map(list, AREAS.values())), list(AREAS)


def installed() -> bool:
    try:
        import faster_coco_eval.faster_eval_api_cpp  # noqa: F401
    except ImportError:
        return False
    return True


def accumulate(truth: Side, found: Side, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall."""
    shape = len(AREAS), len(MAX_DETECTIONS)
    precision = np.full((len(IOU_THRESHOLDS), len(RECALL_THRESHOLDS), num_classes, *shape), -1.0)
    recall = np.full((len(IOU_THRESHOLDS), num_classes, *shape), -1.0)
    objects, boxes = _by_class(truth.labels, num_classes), _by_class(found.labels, num_classes)
    for label in range(num_classes):
        if len(objects[label]):
            result = _one_class(truth, found, objects[label], boxes[label])
            precision[:, :, label] = np.asarray(result["precision"]).reshape(precision.shape[:2] + shape)
            recall[:, label] = np.asarray(result["recall"]).reshape(len(IOU_THRESHOLDS), *shape)
    return precision, recall


def _one_class(truth: Side, found: Side, gs: np.ndarray, ds: np.ndarray) -> Any:
    import faster_coco_eval.faster_eval_api_cpp as core

    image_ids = np.union1d(truth.image_ids[gs], found.image_ids[ds])
    parameters = _Parameters(image_ids.tolist())
    ious: list[list[Any]] = [[[]] for _ in image_ids]
    for place, own_ds, own_gs in _shared_images(truth, found, gs, ds, image_ids):
        ious[place][0] = _ious(truth, found, own_ds, own_gs)
    sides = _dataset(core.Dataset(), truth, gs), _dataset(core.Dataset(), found, ds)
    return core.COCOevalEvaluateAccumulate(parameters, ious, *sides, parameters.imgIds, parameters.catIds, True)


def _by_class(labels: np.ndarray, num_classes: int) -> list[np.ndarray]:
    """The indices of every class, in their order."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.searchsorted(labels[order], np.arange(1, num_classes)))


def _dataset(dataset: Any, side: Side, index: np.ndarray) -> Any:
    crowd = side.iscrowd[index].astype(int)
    columns = (side.image_ids[index], side.area[index], side.scores[index], crowd)
    for number, (image, area, score, flag) in enumerate(zip(*(c.tolist() for c in columns), strict=True), 1):
        dataset.append_ref(image, 0, {"id": number, "score": score, "area": area, "iscrowd": flag, "ignore": flag})
    return dataset


def _shared_images(
    truth: Side, found: Side, gs: np.ndarray, ds: np.ndarray, image_ids: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Images with objects and detections: place, detections by falling score, objects."""
    by_score = ds[np.argsort(-found.scores[ds], kind="stable")]
    parts = []
    for index, side in ((by_score, found), (gs, truth)):
        place = np.searchsorted(image_ids, side.image_ids[index])
        order = np.argsort(place, kind="stable")
        parts.append((index[order], np.searchsorted(place[order], np.arange(len(image_ids) + 1))))
    (ordered_ds, d_at), (ordered_gs, g_at) = parts
    for place in np.flatnonzero((np.diff(d_at) > 0) & (np.diff(g_at) > 0)).tolist():
        own_ds = ordered_ds[d_at[place] : d_at[place + 1]][: MAX_DETECTIONS[-1]]
        yield place, own_ds, ordered_gs[g_at[place] : g_at[place + 1]]


def _ious(truth: Side, found: Side, ds: np.ndarray, gs: np.ndarray) -> list[list[float]]:
    from faster_coco_eval.core import mask as fast_mask

    crowd = truth.iscrowd[gs].astype(int).tolist()
    if truth.masks is None or found.masks is None:
        values = fast_mask.iou(found.xywh[ds], truth.xywh[gs], crowd)
    else:
        values = fast_mask.iou([found.masks[d] for d in ds], [truth.masks[g] for g in gs], crowd)
    listed: list[list[float]] = values.tolist()
    return listed
