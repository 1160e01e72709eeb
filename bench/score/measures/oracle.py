"""What perfect knowledge would be worth: detections with a true IoU for a score, or without errors of suppression."""

from dataclasses import replace

import numpy as np

from bench.score.measures.quality import NEAR, best_iou
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth


def ranked_by_true_iou(truth: GroundTruth, detections: Detections) -> Detections:
    """The same boxes, ranked by their IoU with the object of their class that they overlap most."""
    return replace(detections, scores=best_iou(truth, detections).iou)


def ranked_by_cls_and_true_iou(truth: GroundTruth, detections: Detections) -> Detections:
    """The same boxes, ranked by class score times true IoU: a detector's own product with a perfect estimate."""
    cls = detections.scores if detections.cls is None else detections.cls
    return replace(detections, scores=cls * best_iou(truth, detections).iou)


def without_suppression_errors(truth: GroundTruth, suppressed: Detections, candidates: Detections) -> Detections:
    """What the best suppression could leave of `candidates`, which come from a `post` without suppression.

    Of all candidates for an object (IoU above 0.5) the best fitting stays, with the highest score among them; of the
    rest that remains which `suppressed`, the detections of the suppression in question, has too.
    """
    best = best_iou(truth, candidates, NEAR)
    near = np.flatnonzero(best.iou > NEAR)
    highest = np.zeros(len(truth))
    np.maximum.at(highest, best.target[near], candidates.scores[near])
    order = near[np.lexsort((-best.iou[near], best.target[near]))]
    objects, first = np.unique(best.target[order], return_index=True)
    winners = replace(candidates.select(order[first]), scores=highest[objects])
    background = suppressed.select(best_iou(truth, suppressed, NEAR).iou <= NEAR)
    return Detections.joined([winners, background], suppressed.num_images, suppressed.where)
