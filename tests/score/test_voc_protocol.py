"""VOC's protocol against a slow loop that follows the development kit's description step by step."""

import numpy as np
import pytest

from bench.score.evaluate import evaluate
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from tests.score.simulate import random_detections, random_truth


def slow_ap(truth, found, label, threshold, *, one, eleven):
    """Of one class, or None when it has no objects that count."""
    objects = [i for i in range(len(truth)) if truth.labels[i] == label]
    ignored = truth.difficult | truth.iscrowd
    positives = sum(not ignored[i] for i in objects)
    if positives == 0:
        return None
    taken, flags = set(), []
    those = [i for i in range(len(found)) if found.labels[i] == label]
    for d in sorted(those, key=lambda i: (-found.scores[i], truth.image_ids[found.image[i]])):
        best, target = -1.0, None
        for g in objects:
            if truth.image[g] == found.image[d]:
                overlap = slow_iou(found.boxes[d], truth.boxes[g], one, truth.iscrowd[g])
                if overlap > best:
                    best, target = overlap, g
        if best >= threshold:
            if not ignored[target]:
                flags.append(target not in taken)
                taken.add(target)
        else:
            flags.append(False)
    hits, kept = np.cumsum(flags), np.arange(1, len(flags) + 1)
    recall, precision = hits / positives, hits / kept
    if eleven:
        points = [precision[recall >= t].max(initial=0) for t in np.linspace(0, 1, 11)]
        return float(np.mean(points))
    area = 0.0
    for i in range(len(flags)):
        step = recall[i] - (recall[i - 1] if i else 0)
        area += step * precision[i:].max()
    return float(area)


def slow_iou(a, b, one, crowd):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + one)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + one)
    own = (a[2] - a[0] + one) * (a[3] - a[1] + one)
    union = own if crowd else own + (b[2] - b[0] + one) * (b[3] - b[1] + one) - width * height
    return width * height / union


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("protocol", ["voc2007", "voc2007+1", "voc2012", "voc2012+1"])
def test_against_a_slow_loop(seed, protocol):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng, objects=40)
    found = random_detections(rng, truth, near=80, far=30)
    scores = evaluate(found, truth, protocol)
    assert scores.protocol == protocol
    one = 1.0 if protocol.endswith("+1") else 0.0
    for name, threshold in (("AP50", 0.5), ("AP75", 0.75)):
        slow = [
            slow_ap(truth, found, label, threshold, one=one, eleven=protocol.startswith("voc2007"))
            for label in range(truth.num_classes)
        ]
        for label, value in zip(truth.class_names, slow, strict=True):
            assert scores.per_class[label][name] == pytest.approx(-1 if value is None else value, abs=1e-12)
        assert scores.metrics[name] == pytest.approx(np.mean([v for v in slow if v is not None]), abs=1e-12)


def one_object(difficult):
    return GroundTruth.from_coco(
        {
            "images": [{"id": 1}],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "difficult": 0},
                {"id": 2, "image_id": 1, "category_id": 1, "bbox": [50, 50, 10, 10], "difficult": int(difficult)},
            ],
        }
    )


def test_difficult_objects_neither_help_nor_hurt():
    boxes = [[0, 0, 10, 10], [50, 50, 60, 60], [50, 50, 60, 60]]
    found = Detections.from_boxes(1, [0, 0, 0], boxes, [0.5, 0.9, 0.8], [0, 0, 0])
    assert evaluate(found, one_object(difficult=True), "voc2012").metrics["AP50"] == 1.0
    assert evaluate(found, one_object(difficult=False), "voc2012").metrics["AP50"] == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_coco_counts_difficult_objects():
    found = Detections.from_boxes(1, [0], [[0, 0, 10, 10]], [0.5], [0])
    assert evaluate(found, one_object(difficult=True), "coco").metrics["AR100"] == 0.5
    assert evaluate(found, one_object(difficult=True), "voc2012").metrics["AR"] == 1.0


def test_plus_one_raises_the_iou_of_small_boxes():
    """The known values of a 16 pixel box that is 4 pixels off: .600 becomes .619."""
    truth = GroundTruth.from_coco(
        {
            "images": [{"id": 1}],
            "categories": [{"id": 1, "name": "cat"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 16, 16]}],
        }
    )
    found = Detections.from_boxes(1, [0], [[4, 0, 20, 16]], [0.5], [0])
    from bench.score.tables.pairs import paired_iou

    zero = np.array([0])
    assert paired_iou(truth, found, zero, zero)[0] == pytest.approx(0.6)
    assert paired_iou(truth, found, zero, zero, 1.0)[0] == pytest.approx(13 / 21)
