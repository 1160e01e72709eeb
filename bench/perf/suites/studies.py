"""What a row costs that has next to nothing to do, beside a TorchTrainer in each trial; and a finished study again."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bench.perf.harness import Comparison, Disagreement, Options, chosen, timing
from bench.study.definition.spec import load_study
from bench.study.running.trainings import silent
from bench.study.steps.cache import StepCache
from bench.study.steps.datasets import prepared_data
from bench.study.steps.graph import cells
from bench.train.checkpoint import read_state
from bench.train.distributed.ray_session import ray_session
from bench.train.distributed.workers import Workers
from bench.train.job import Job

ROWS, PEER_ROWS, AT_ONCE, AGAIN = 30, 6, 2, 3
STUDY = """title: Rows that have next to nothing to do
data: {kind: synthetic, preset: tiny, size: 64, train: 8, val: 4}
variant: faster_rcnn_tiny
input: {mode: as_is}
train: {iterations: 1, batch_size: 8, warmup_iterations: 0}
rows:
"""


def comparisons(options: Options) -> Iterator[Comparison]:
    """Each row of ours is one step of training, a prediction, scores with pictures and a run in MLflow; the peer's is
    the training alone, a TorchTrainer in each trial."""
    chosen(("a row", "a finished study again"), options.only)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "rows.yaml"
        file.write_text(STUDY + "".join(f"  row_{i}: {{train.lr: {(i + 1) / 1000}}}\n" for i in range(ROWS)))
        command = [sys.executable, "-m", "bench", "run", str(file), "--storage", str(folder / "runs")]
        first = _seconds(command)
        again = [1e3 * _seconds(command) for _ in range(AGAIN)]
        jobs = _jobs(file, folder)
        tuned = _seconds_of_peer([_of_peer(job, i, folder) for i, job in enumerate(jobs)], folder, options)
        same = _same_weights(jobs, folder)
    ours, peer = timing([1e3 * first / ROWS], 1, None), timing([1e3 * tuned / PEER_ROWS], 1, None)
    ratio = peer.median_ms / ours.median_ms
    note = f"{ROWS} rows in {first:.0f} s, the peer's {PEER_ROWS} in {tuned:.0f} s"
    yield Comparison("studies", "a row", ours, peer, "Tune, a TorchTrainer a trial", ratio, same, "row", note)
    yield Comparison("studies", "a finished study again", timing(again, 1, None), None, "", None, "", "command")


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, timeout=900)
    return time.perf_counter() - started


def _jobs(file: Path, folder: Path) -> list[Job]:
    """The trainings of the first rows, as the study left them."""
    study, cache = load_study(file), StepCache(folder / "runs")
    plan = cells(study, prepared_data(study, cache.root))[:PEER_ROWS]
    return [replace(cell.steps[0].work, out=str(cache.folder(cell.steps[0]))) for cell in plan]


def _seconds_of_peer(jobs: list[Job], folder: Path, options: Options) -> float:
    started = time.perf_counter()
    with ray_session(dashboard=False):
        from ray import tune

        workers = Workers(gpus=0.5 if options.device.type == "cuda" else 0)
        tune.Tuner(
            tune.with_resources(tune.with_parameters(_trial, workers=workers), {"CPU": 0.01}),
            param_space={"job": tune.grid_search(jobs)},
            tune_config=tune.TuneConfig(max_concurrent_trials=AT_ONCE),
            run_config=tune.RunConfig(storage_path=f"{folder}/tune", verbose=0, callbacks=[silent()]),
        ).fit()
    return time.perf_counter() - started


def _trial(config: dict[str, Any], workers: Workers) -> None:
    from bench.train.distributed.on_ray import train_on_ray

    train_on_ray(config["job"], workers)


def _of_peer(job: Job, index: int, folder: Path) -> Job:
    return replace(job, out=f"{folder}/peer-{index}")


def _same_weights(jobs: list[Job], folder: Path) -> str:
    for i, job in enumerate(jobs):
        ours = (read_state(job.weights) or {})["model"]
        theirs = (read_state(_of_peer(job, i, folder).weights) or {})["model"]
        if not all(torch.equal(ours[name], theirs[name]) for name in ours):
            raise Disagreement("the weights of a row are not those of the same training in a TorchTrainer")
    return "same bits"
