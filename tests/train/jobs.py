"""Short trainings of tiny detectors."""

from typing import Any

from bench.data.input import InputConfig
from bench.data.store import Store
from bench.train.config import TrainConfig
from bench.train.job import Job
from detectors import zoo


def job_on(store: Store, out: str, variant: str = "retinanet_tiny", **train: Any) -> Job:
    settings = {"iterations": 6, "batch_size": 4, "lr": 0.02, "warmup_iterations": 2, "clip_norm": 10.0}
    return Job(
        detector=zoo.config(variant),
        num_classes=store.num_classes,
        store=str(store.path),
        input=InputConfig(mode="as_is"),
        train=TrainConfig(**(settings | train)),
        seed=1,
        out=out,
    )
