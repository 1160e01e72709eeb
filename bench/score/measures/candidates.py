"""How well boxes fit before suppression chooses among them: the best that it could leave (IoU-Net fig. 3)."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.score.measures.iou_bins import object_iou
from bench.score.protocols.protocol import labels_of
from bench.score.scores import Scores
from bench.score.tables.detections import Detections
from bench.score.tables.ground_truth import GroundTruth
from detectors.parts.post import PostConfig, standard
from detectors.parts.suppress import none
from detectors.raw import Raw

EVERYTHING = 2**31
"""more detections than an image can have"""


class Candidates:
    """Sees raw predictions a batch at a time, for all of them at once would not fit into memory."""

    def __init__(self, post: PostConfig, truth: GroundTruth) -> None:
        whole = unsuppressed(post)
        self.truth = truth
        self._post = whole.build() if whole else None
        self._reached = np.where(truth.iscrowd, np.nan, 0.0)

    def see(self, raw: Raw, images: Sequence[int]) -> None:
        if self._post is not None:
            found = replace(Detections.from_output(self._post(raw), images), num_images=self.truth.num_images)
            self._reached = np.fmax(self._reached, object_iou(self.truth, found))

    def reached(self, scores: Scores) -> np.ndarray | None:
        """[G] `object_iou` of all that was seen, for the objects that the scores are about."""
        if self._post is None:
            return None
        return self._reached[np.isin(self.truth.labels, labels_of(scores.rules, self.truth))]


def unsuppressed(post: PostConfig) -> PostConfig | None:
    """The same `post`, of which all comes out that would enter suppression; None where that is not known."""
    if not isinstance(post, standard.Config):
        return None
    return replace(post, suppress=none.Config(), vote=None, max_detections=EVERYTHING)
