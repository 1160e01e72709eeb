"""What Ray costs a training in steady state: the same job as a Ray Train worker and as a plain loop in this process."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch

from bench.data.converting.prepare import prepare
from bench.data.formats.synthetic import Config as Synthetic
from bench.data.input import InputConfig
from bench.perf.harness import Comparison, Disagreement, Options, chosen, timing
from bench.train.checkpoint import read_state
from bench.train.config import TrainConfig
from bench.train.distributed.place import Place
from bench.train.distributed.ray_session import ray_session
from bench.train.distributed.workers import Workers
from bench.train.job import Job, train
from bench.train.loop import Hooks
from bench.train.records import StepRecord
from detectors import zoo

ROUNDS, WARM_UP, STEPS_A_CHECKPOINT, BATCH = 2, 20, 50, 8
STEPS_A_SECOND = 20
"""About as many as one CPU core takes."""


def comparisons(options: Options) -> Iterator[Comparison]:
    """Both in turns. A step's time runs from one step to the next, so that checkpoints and reports are in it."""
    chosen(["a step on a Ray worker"], options.only)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, ray_session(dashboard=False):
        job = _job(Path(folder), options)
        wall: dict[str, list[float]] = {"ray": [], "plain": []}
        work: dict[str, list[float]] = {"ray": [], "plain": []}
        for number in range(ROUNDS):
            for side in ("plain", "ray"):
                steps = _run(side, replace(job, out=f"{folder}/{side}-{number}"), options.device)
                wall[side] += [step[0] for step in steps]
                work[side] += [step[1] for step in steps]
        same = _same_weights(*(replace(job, out=f"{folder}/{side}-0") for side in ("plain", "ray")))
    torch.set_num_threads(threads)
    shares = [1 - statistics.fmean(part["plain"]) / statistics.fmean(part["ray"]) for part in (wall, work)]
    note = f"Ray's share: {shares[0]:.1%} of the mean step's time, {shares[1]:.1%} of its CPU time"
    ray, plain = (timing(wall[side], BATCH, None) for side in ("ray", "plain"))
    ratio = plain.median_ms / ray.median_ms
    yield Comparison("overhead", "a step on a Ray worker", ray, plain, "in process", ratio, same, "image", note)


def _job(folder: Path, options: Options) -> Job:
    store = prepare(Synthetic(train=64, val=1), folder / "data", split="train")
    iterations = WARM_UP + max(2 * STEPS_A_CHECKPOINT, int(options.seconds * STEPS_A_SECOND))
    return Job(
        detector=zoo.config("faster_rcnn_tiny"),
        num_classes=store.num_classes,
        store=str(store.path),
        input=InputConfig(mode="as_is"),
        train=TrainConfig(iterations=iterations, batch_size=BATCH, checkpoint_every=STEPS_A_CHECKPOINT),
        out="",
    )


def _run(side: str, job: Job, device: torch.device) -> list[tuple[float, float]]:
    """Milliseconds and CPU milliseconds of each step after the warm-up."""
    from bench.train.distributed.on_ray import train_on_ray

    Path(job.out).mkdir()
    log = Path(job.out, "steps.log")
    hooks = Hooks(step=partial(_note, str(log)))
    if side == "ray":
        train_on_ray(job, Workers(gpus=float(device.type == "cuda")), hooks=hooks)
    else:
        train(job, place=Place(device), hooks=hooks)
    times = [tuple(map(float, line.split())) for line in log.read_text().splitlines()[WARM_UP:]]
    return [((b[0] - a[0]) * 1e3, (b[1] - a[1]) * 1e3) for a, b in pairwise(times)]


def _note(log: str, record: StepRecord) -> None:
    with open(log, "a") as file:  # noqa: PTH123 - on the path of what is measured
        file.write(f"{time.perf_counter()} {time.process_time()}\n")


def _same_weights(one: Job, other: Job) -> str:
    here, there = ((read_state(job.weights) or {})["model"] for job in (one, other))
    if not all(torch.equal(here[name], there[name]) for name in here):
        raise Disagreement("the weights of the training on Ray are not those of the training in process")
    return "same bits"
