"""Scoring beside pycocotools and faster-coco-eval, resampling beside scoring anew, a sweep beside separate runs."""

import contextlib
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.perf.harness import Comparison, Disagreement, Options, Timing, chosen, timing
from bench.perf.scenes import raw
from bench.score.evaluate import evaluate, evaluate_file, load_truth
from bench.score.protocols.coco import NAMES
from bench.score.resampling.bootstrap import resample
from bench.score.rescore import rescore
from bench.score.tables.detections import Detections
from bench.score.tables.detections_file import to_coco_results, write_parquet
from bench.score.tables.ground_truth import GroundTruth
from bench.score.tables.raw_file import RawHeader, RawWriter
from detectors.parts.post import standard

CLASSES, BOXES_AN_IMAGE, FOUND_AN_IMAGE = 80, 7.2, 90
FULL, SMALL = 5000, 200
"""images; the small size is for less than a second a case"""
SETTINGS = 20
SEPARATE_RUNS = 2
"""so many of the separate runs are measured; their mean stands for all"""
OFFICIAL = {"AP": 0, "AP50": 1, "AP75": 2, "APs": 3, "APm": 4, "APl": 5}
RESAMPLES = 1000
TRUTH, RESULTS, PARQUET = "truth.json", "results.json", "detections.parquet"

Measured = tuple[dict[str, float], float, float]
"""numbers, seconds of the process, and the peak of its memory in MB"""


def comparisons(options: Options) -> Iterator[Comparison]:
    """Every side of the first case runs in a process of its own, whose whole peak of memory is told."""
    cases: dict[str, Callable[[Path, int], Iterator[Comparison]]] = {
        "file to all COCO numbers": _numbers,
        "paired resamples of AP": _bootstrap,
        "settings of post": _sweep,
    }
    wanted = chosen(cases, options.only)
    images = FULL if options.seconds >= 1 else SMALL
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_case(folder, images)
        for name in wanted:
            yield from cases[name](folder, images)


def write_case(folder: Path, images: int, seed: int = 0) -> None:
    """Objects of all sizes, and detections that are moved copies of them among false alarms."""
    rng = np.random.default_rng(seed)
    objects = int(images * BOXES_AN_IMAGE)
    share = rng.dirichlet(np.full(CLASSES, 0.5))
    image, labels = rng.integers(0, images, objects), rng.choice(CLASSES, objects, p=share)
    boxes = _boxes(rng, objects)
    count = images * FOUND_AN_IMAGE
    target = rng.integers(0, objects, count)
    near = rng.random(count) < 0.6
    moved = boxes[target] + rng.normal(0, 0.12, (count, 4)) * np.tile(boxes[target, 2:] - boxes[target, :2], 2)
    found = np.where(near[:, None], moved, _boxes(rng, count))
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
    right = near & (rng.random(count) < 0.7)
    detections = Detections.from_boxes(
        images,
        np.where(near, image[target], rng.integers(0, images, count)),
        found.astype(np.float32),
        np.where(near, rng.beta(2, 2, count), rng.beta(1, 6, count)).round(4),
        np.where(right, labels[target], rng.choice(CLASSES, count, p=share)),
    )
    (folder / TRUTH).write_text(json.dumps(_coco(image, boxes, labels, images)))
    truth = load_truth(folder / TRUTH)
    (folder / RESULTS).write_text(json.dumps(to_coco_results(detections, truth)))
    write_parquet(folder / PARQUET, detections, dtype=np.float64)


def ours(folder: Path) -> dict[str, float]:
    metrics = evaluate_file(folder / PARQUET, folder / TRUTH).metrics
    return {name: metrics[name] for name in NAMES}


def faster_coco_eval(folder: Path) -> dict[str, float]:
    from faster_coco_eval import COCO, COCOeval_faster

    return _peer(COCO, COCOeval_faster, folder)


def pycocotools(folder: Path) -> dict[str, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return _peer(COCO, COCOeval, folder)


def _peer(coco: Any, evaluator: Any, folder: Path) -> dict[str, float]:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = coco(str(folder / TRUTH))
        judged = evaluator(truth, truth.loadRes(str(folder / RESULTS)), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return {name: float(judged.stats[place]) for name, place in OFFICIAL.items()}


def _numbers(folder: Path, images: int) -> Iterator[Comparison]:
    mine = _in_own_process(ours, folder)
    for peer in (faster_coco_eval, pycocotools):
        theirs = _in_own_process(peer, folder)
        worst = max(abs(mine[0][name] - value) for name, value in theirs[0].items())
        if worst > 1e-9:
            raise Disagreement(f"{peer.__name__} differs by {worst:.2g}")
        yield Comparison(
            suite="score",
            case=f"file to all COCO numbers, {images} images, {images * FOUND_AN_IMAGE} detections",
            ours=_whole(mine[1], images, mine[2]),
            peer=_whole(theirs[1], images, theirs[2]),
            peer_name=f"{peer.__name__} from JSON",
            ratio=theirs[1] / mine[1],
            agreement=f"within {worst:.1g}",
            unit="image",
        )


def _bootstrap(folder: Path, images: int) -> Iterator[Comparison]:
    """Two rows on the same resamples; scoring both anew is measured once and multiplied."""
    truth = load_truth(folder / TRUTH)
    a = evaluate_file(folder / PARQUET, folder / TRUTH)
    started = time.perf_counter()
    b = evaluate(a.detections, truth)
    anew = 2 * RESAMPLES * (time.perf_counter() - started)
    started = time.perf_counter()
    drawn = resample({"a": [a], "b": [b]}, ["AP"], resamples=RESAMPLES, jackknife=False)
    seconds = time.perf_counter() - started
    gap = abs(drawn.of("a", "AP").value - a.metrics["AP"])
    if gap > 1e-12:
        raise Disagreement(f"the identity resample differs from the engine by {gap:.2g}")
    yield Comparison(
        suite="score",
        case=f"{RESAMPLES} paired resamples of AP, two rows",
        ours=_whole(seconds, RESAMPLES),
        peer=_whole(anew, RESAMPLES),
        peer_name="scoring anew (from one)",
        ratio=anew / seconds,
        agreement=f"within {gap:.1g}",
        unit="resample",
    )


def _sweep(folder: Path, images: int) -> Iterator[Comparison]:
    """A separate run is a process of its own: it loads the raw predictions, applies `post`, scores."""
    few = images // 10
    truth = _write_raw(folder, few)
    values = np.linspace(0.3, 0.7, SETTINGS).tolist()
    seconds, found = {}, []
    for number in (SETTINGS // 4, SETTINGS // 2, SETTINGS):
        started = time.perf_counter()
        found = rescore(folder / "raw", standard.Config(), {"suppress.iou_threshold": values[:number]}, truth=truth)
        seconds[number] = time.perf_counter() - started
    separate = [_separate_run(folder, value) for value in values[:SEPARATE_RUNS]]
    for one, (ap, _) in zip(found, separate, strict=False):
        if one.scores is None or one.scores.metrics["AP"] != ap:
            raise Disagreement("a separate run gives another AP")
    alone = sum(spent for _, spent in separate) / len(separate) * SETTINGS
    grown = ", ".join(f"{number}: {spent:.1f} s" for number, spent in seconds.items())
    spent = seconds[SETTINGS]
    yield Comparison(
        suite="score",
        case=f"{SETTINGS} settings of post, {few} images ({grown})",
        ours=_whole(spent, SETTINGS),
        peer=_whole(alone, SETTINGS),
        peer_name=f"separate runs (from {SEPARATE_RUNS})",
        ratio=alone / spent,
        agreement="equal",
        unit="setting",
        note=f"{spent / alone:.0%} of separate runs",
    )


def separate_run(folder: Path, iou_threshold: float) -> float:
    truth = load_truth(folder / "few.json")
    post = {"kind": "standard", "suppress": {"kind": "hard", "iou_threshold": iou_threshold}}
    (found,) = rescore(folder / "raw", post, truth=truth, workers=1)
    return found.scores.metrics["AP"] if found.scores else float("nan")


def _separate_run(folder: Path, value: float) -> tuple[float, float]:
    started = time.perf_counter()
    code = f"from bench.perf.suites.score import *; print(separate_run(Path({str(folder)!r}), {value!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1]), time.perf_counter() - started


def _write_raw(folder: Path, images: int) -> GroundTruth:
    rng = np.random.default_rng(1)
    with RawWriter(folder / "raw", RawHeader(num_classes=CLASSES)) as writer:
        for start in range(0, images, 10):
            rows = range(start, min(start + 10, images))
            writer.add(raw(len(rows), 1000, CLASSES, torch.device("cpu")), rows, list(map(str, rows)))
    objects = images * 7
    content = _coco(rng.integers(0, images, objects), _boxes(rng, objects), rng.integers(0, CLASSES, objects), images)
    (folder / "few.json").write_text(json.dumps(content))
    return load_truth(folder / "few.json")


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    sides = np.exp(rng.normal(4, 1, (count, 2))).clip(4, 400)
    corner = rng.random((count, 2)) * (640 - sides)
    return np.concatenate([corner, corner + sides], axis=1).round(2)


def _coco(image: np.ndarray, boxes: np.ndarray, labels: np.ndarray, images: int) -> dict[str, Any]:
    xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    area = (xywh[:, 2] * xywh[:, 3]).tolist()
    columns = zip((image + 1).tolist(), (labels + 1).tolist(), xywh.tolist(), area, strict=True)
    names = ("image_id", "category_id", "bbox", "area")
    records = [dict(zip(names, record, strict=True)) for record in columns]
    return {
        "images": [{"id": i + 1, "width": 640, "height": 640} for i in range(images)],
        "categories": [{"id": k + 1, "name": f"class {k}"} for k in range(CLASSES)],
        "annotations": [{"id": number, "iscrowd": 0, **record} for number, record in enumerate(records, 1)],
    }


def _in_own_process(side: Callable[[Path], dict[str, float]], folder: Path) -> Measured:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_measured, side, folder).result()


def _measured(side: Callable[[Path], dict[str, float]], folder: Path) -> Measured:
    """CPU seconds, since all sides use one core; imports are done before, by a first call on nothing."""
    with contextlib.suppress(Exception):
        side(folder / "absent")
    started = time.process_time()
    numbers = side(folder)
    seconds = time.process_time() - started
    return numbers, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _whole(seconds: float, items: int, peak_mb: float | None = None) -> Timing:
    return timing([seconds * 1e3], items, peak_mb)
