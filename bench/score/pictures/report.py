"""All pictures of one evaluation, into a folder."""

from pathlib import Path

import numpy as np

from bench.score.measures.calibration import overall_reliability
from bench.score.measures.iou_bins import object_iou
from bench.score.measures.tide import errors
from bench.score.pictures.bins import error_bars, positives_after_suppression, reliability_diagram, score_by_iou
from bench.score.pictures.curves import ap_over_iou, precision_recall, recall_over_iou, share_over_iou
from bench.score.pictures.gallery import LoadImage, gallery
from bench.score.pictures.scatter import iou_scatter
from bench.score.resampling.statistics import half_matches
from bench.score.scores import Scores


def draw(
    scores: Scores,
    folder: Path,
    *,
    name: str = "detections",
    load: LoadImage | None = None,
    before: np.ndarray | None = None,
) -> list[Path]:
    """Pictures and CSV files; galleries too where images can be loaded.

    `before` is the `object_iou` of what entered suppression, beside which that of the detections is drawn.
    """
    truth, found = scores.truth, scores.detections
    after = object_iou(truth, found)
    reached = {name: after} if before is None else {"before suppression": before, "after suppression": after}
    pictures = {
        "ap_over_iou": ap_over_iou({name: scores}),
        "iou_scatter": iou_scatter(truth, found),
        "reliability": reliability_diagram(overall_reliability(truth, found, half_matches(scores))),
        "errors": error_bars({name: errors(truth, found, masks=scores.rules.masks)}),
        "score_by_iou": score_by_iou(truth, {name: found}),
        "recall_over_iou": recall_over_iou(reached),
        "positives_after_suppression": positives_after_suppression(reached),
        "share_over_iou": share_over_iou(truth, {name: found}),
    }
    if scores.accumulated is not None:
        pictures["precision_recall"] = precision_recall(scores)
    if load is not None:
        pictures |= {"worst": gallery(scores, load, "worst"), "best": gallery(scores, load, "best")}
    return [path for title, picture in pictures.items() for path in picture.save(folder / title)]


def images_of_store(path: Path) -> LoadImage:
    """Loads the images of a data store for galleries."""
    import io

    from PIL import Image

    from bench.data.store import Store

    store = Store.open(path)

    def load(index: int) -> np.ndarray:
        with Image.open(io.BytesIO(store.row(index).image)) as image:
            return np.asarray(image.convert("RGB"))

    return load
