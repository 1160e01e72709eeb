"""What a step does, in whatever process it runs: train, predict, score. Its folder holds what it leaves."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from bench.config.tree import to_tree
from bench.data.batches.loader import eval_loader
from bench.data.store import Store
from bench.score.evaluate import evaluate
from bench.score.measures.candidates import Candidates
from bench.score.pictures.gallery import gallery
from bench.score.pictures.report import draw, images_of_store
from bench.score.resampling.summary import summary
from bench.score.scores import Scores
from bench.score.tables.detections import Detections
from bench.score.tables.detections_file import write_parquet
from bench.score.tables.ground_truth import GroundTruth
from bench.score.tables.raw_file import RawFile, RawHeader, RawWriter
from bench.study.steps.album import GAINS, SEEN, SNAPSHOTS, Album, draw_album
from bench.study.steps.graph import Prediction, Scoring, Step
from bench.study.steps.provenance import leave_provenance
from bench.study.steps.result import finish, write_json
from bench.study.steps.watch import CURVE, Surroundings, Watch
from bench.train.distributed.place import Place
from bench.train.distributed.workers import Workers
from bench.train.job import CHECKPOINTS, Job, train
from bench.train.loop import Hooks
from bench.train.predicting.cost import latency, operations, size_of
from bench.train.predicting.predict import Predicted, predict
from bench.train.records import StepRecord
from bench.train.weights.saved import load_detector
from detectors.detector import Detector

RAW = "raw"
DETECTIONS = "detections.parquet"
CURVES = "scores.json"
GALLERY, PLOTS = "gallery", "plots"
PREDICT_BATCH = 8
POST_BATCH = 64
TIMED_IMAGES = 20


def train_step(job: Job, folder: Path, workers: Workers, before: Sequence[Path] = ()) -> None:
    """In this process, or on several workers of the Ray cluster that it belongs to; on from the end of `before`."""
    job = replace(job, out=str(folder), after=str(before[0]) if before else "")
    for earlier in before:
        _begin_with_records_of(earlier, folder)
    hooks = _hooks(job, folder)
    if workers.count == 1:
        torch.set_num_threads(workers.threads)
        outcome = train(job, hooks=hooks)
    else:
        from bench.train.distributed.on_ray import train_on_ray

        outcome = train_on_ray(job, workers, hooks=hooks)
    draw_album(folder, Path(job.store))
    costs = {
        "gpu_hours": outcome.worker_seconds / 3600 * workers.gpus,
        "wall_hours": outcome.seconds / 3600,
        "workers": workers.count,
    }
    finish(folder, asdict(outcome) | costs)
    for checkpoints in (folder / CHECKPOINTS, *folder.glob("ray-*")):
        shutil.rmtree(checkpoints, ignore_errors=True)  # the weights are there, and nobody goes on from the end


def _begin_with_records_of(before: Path, folder: Path) -> None:
    for name in (CURVE, SEEN, SNAPSHOTS, GAINS):
        if (before / name).exists() and not (folder / name).exists():
            shutil.copy(before / name, folder / name)


def _hooks(job: Job, folder: Path) -> Hooks:
    watch, album = Watch(folder, Store.open(Path(job.store)), job), Album(folder, job)

    def step(record: StepRecord) -> None:
        watch(record)
        album.step(record)

    return Hooks(begin=album.begin, step=step, around=Surroundings(folder))


def do_step(step: Step, folder: str, needs: list[str], *shares: Predicted) -> None:
    """A predict or a score step, in this process; of a prediction what its `predict_share`s have left to do."""
    before = Path(needs[0])
    leave_provenance(Path(folder))
    if step.kind == "predict":
        predict_step(step.work, Path(folder), before, shares)
    else:
        score_step(step.work, Path(folder), before)


def predict_step(work: Prediction, folder: Path, trained: Path, shares: Sequence[Predicted] = ()) -> None:
    """Raw predictions of all images, unless others made them, and what the detector costs."""
    place = Place()
    model = _detector(work, trained, place)
    if not shares:
        clear_predictions(folder)
        shares = [_predict(work, folder, model, place)]
    costs = _cost(model, Store.open(Path(work.store)), work.job, place)
    finish(folder, {"cost": costs, "images_per_second": sum(share.images_per_second for share in shares)})


def predict_share(work: Prediction, folder: Path, trained: Path, rank: int = 0, shares: int = 1) -> Predicted:
    """Raw predictions of every image whose turn it is, as a shard."""
    place = Place(rank=rank, world_size=shares)
    return _predict(work, folder, _detector(work, trained, place), place)


def _predict(work: Prediction, folder: Path, model: Detector, place: Place) -> Predicted:
    store = Store.open(Path(work.store))
    header = RawHeader(
        num_classes=store.num_classes,
        class_names=store.class_names,
        variant=to_tree(work.job.detector),
        fingerprint=store.fingerprint,
        floor=work.floor,
    )
    with RawWriter(folder / RAW, header, place.rank, place.world_size) as writer:
        return predict(model, store, work.job.input, writer, batch_size=PREDICT_BATCH, place=place)


def clear_predictions(folder: Path) -> None:
    """Of a run that was broken off; it may have made another number of shards."""
    shutil.rmtree(folder / RAW, ignore_errors=True)


def _detector(work: Prediction, trained: Path, place: Place) -> Detector:
    weights = replace(work.job, out=str(trained)).weights
    return load_detector(weights, place.device, config=work.job.detector)


def score_step(work: Scoring, folder: Path, predicted: Path) -> None:
    """`post` on raw predictions, then the protocol's numbers."""
    post, store = work.post.build(), Store.open(Path(work.store))
    truth = GroundTruth.from_store(store)
    candidates = Candidates(work.post, truth)
    outputs, images = [], []
    for raw, rows in RawFile(predicted / RAW).batches(POST_BATCH):
        outputs += post(raw)
        images += rows
        candidates.see(raw, rows)
    detections = replace(Detections.from_output(outputs, images), num_images=len(store))
    write_parquet(folder / DETECTIONS, detections)
    scores = evaluate(detections, truth, work.protocol)
    write_json(folder / CURVES, summary(scores, store.fingerprint))
    draw(scores, folder / PLOTS, name=folder.name, before=candidates.reached(scores))
    _draw_examples(scores, store, folder / GALLERY)
    finish(folder, {"metrics": scores.metrics, "per_class": scores.per_class, "protocol": scores.protocol})


def _draw_examples(scores: Scores, store: Store, folder: Path) -> None:
    """The images on which the detector does worst and best, with what was there and what was found."""
    load = images_of_store(store.path)
    for order in ("worst", "best"):
        gallery(scores, load, order).save(folder / order)


def _cost(model: Detector, store: Store, job: Job, place: Place) -> dict[str, float]:
    """Of an image in all its views together."""
    costs = []
    for view in job.input.views():
        batches = eval_loader(store, job.input, batch_size=1, views=[view])
        images: list[Tensor] = [batch.pixels[0].to(place.device) for batch, _, _ in islice(batches, TIMED_IMAGES)]
        with torch.no_grad():
            costs.append(operations(model, images[0]) | latency(model, images, place.device))
    return size_of(model) | {name: sum(cost[name] for cost in costs) for name in costs[0]}
