"""Steps of one and of two workers on this machine, over slow lines: `sudo python docs/scaling_check.py`.

Each worker lives in a network namespace of its own; `tc` makes the line between them slow. What comes out stands in
scaling.md beside what the model says.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import median

import scaling_model
import torch
import torch.distributed as dist

from bench.data.converting.prepare import prepare_splits
from bench.data.formats import synthetic
from bench.data.input import InputConfig
from bench.data.store import Store
from bench.train.config import TrainConfig
from bench.train.distributed.place import Place
from bench.train.job import Job, prepare
from detectors import zoo

VARIANT = "faster_rcnn_tiny"
IMAGES_OF_A_WORKER = 2
WARM, TIMED = 2, 8
MEGABITS = (1000, 200, 100, 50)
ROUNDS = 5
"""Of each setting the quickest round counts: what other programs of the machine do can only add to it."""
ADDRESSES = ("198.18.77.1", "198.18.77.2")
NAMES = ("scaling-a", "scaling-b")


def work(rank: int, store: str) -> None:
    """One worker: for each number of workers that it is told, prints the seconds of its steps."""
    torch.set_num_threads(1)
    for told in sys.stdin:
        workers = int(told)
        if workers > 1 and not dist.is_initialized():
            dist.init_process_group("gloo", init_method=f"tcp://{ADDRESSES[0]}:29500", rank=rank, world_size=2)
        job = Job(
            detector=zoo.config(VARIANT),
            num_classes=Store.open(Path(store)).num_classes,
            store=store,
            input=InputConfig(mode="as_is"),
            train=TrainConfig(epochs=100, batch_size=workers * IMAGES_OF_A_WORKER, log_every=1000),
            out=tempfile.mkdtemp(),
        )
        training = prepare(job, Place(torch.device("cpu"), rank, workers))
        seconds = []
        for batch in islice(training.batches, WARM + TIMED):
            started = time.perf_counter()
            training.step(batch, 0.0)
            seconds.append(time.perf_counter() - started)
        print(json.dumps(seconds[WARM:]), flush=True)


def measured(workers: Sequence["subprocess.Popen[str]"]) -> float:
    """Median milliseconds of the slowest worker's steps, with so many at work."""
    for worker in workers:
        assert worker.stdin is not None
        print(len(workers), file=worker.stdin, flush=True)
    steps = [json.loads(worker.stdout.readline()) for worker in workers if worker.stdout is not None]
    return 1000 * median(map(max, zip(*steps, strict=True)))


@contextmanager
def started(store: Path) -> Iterator[list["subprocess.Popen[str]"]]:
    """Two workers, each in a namespace of its own."""
    pipe = subprocess.PIPE
    workers = []
    for rank, name in enumerate(NAMES):
        command = ["ip", "netns", "exec", name, "env", "GLOO_SOCKET_IFNAME=far0", sys.executable, __file__]
        workers.append(subprocess.Popen([*command, str(rank), str(store)], stdin=pipe, stdout=pipe, text=True))
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


@contextmanager
def line() -> Iterator[None]:
    """Two namespaces, joined by a line."""
    for name in NAMES:
        run("ip", "netns", "add", name)
    try:
        run("ip", "link", "add", "far0", "netns", NAMES[0], "type", "veth", "peer", "name", "far0", "netns", NAMES[1])
        for name, address in zip(NAMES, ADDRESSES, strict=True):
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "far0")
            run("ip", "-n", name, "link", "set", "far0", "up")
        yield
    finally:
        for name in NAMES:
            run("ip", "netns", "delete", name)


def limit(megabits: int | None) -> None:
    """What each end of the line may send in a second; None: as much as it can."""
    rate = ["tbf", "rate", f"{megabits}mbit", "burst", "128kb", "latency", "100ms"] if megabits else ["pfifo"]
    for name in NAMES:
        run("tc", "-n", name, "qdisc", "replace", "dev", "far0", "root", *rate)


def rounds(workers: Sequence["subprocess.Popen[str]"]) -> Iterator[dict[int | None, float]]:
    """Milliseconds of a step of all workers, by what the line carries."""
    for _ in range(ROUNDS):
        took: dict[int | None, float] = {}
        for megabits in (None, *MEGABITS):
            limit(megabits)
            took[megabits] = measured(workers)
        yield took


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, line():
        store = prepare_splits(synthetic.Config(train=40, val=4), Path(folder))["train"]
        with started(store.path) as workers:
            # Before the two know each other: a worker alone would then wait for the other.
            alone = min(measured(workers[:1]) for _ in range(ROUNDS))
            found = list(rounds(workers))
    took = {setting: min(one[setting] for one in found) for setting in found[0]}
    size = scaling_model.gradient_bytes(VARIANT, num_classes=store.num_classes)
    print(f"{VARIANT}, {size / 1e6:.1f} MB of gradients, {IMAGES_OF_A_WORKER} images a worker")
    print(f"one worker {alone:.0f} ms; two, line not limited, {took[None]:.0f} ms")
    step = scaling_model.Step(took[None] / 1000, size)
    for megabits in MEGABITS:
        says = took[None] + 1000 * step.exposed(2, megabits * 1e6 / 8)
        off = 100 * (says / took[megabits] - 1)
        print(f"| {megabits} Mbit/s | {says:.0f} ms | {took[megabits]:.0f} ms | {off:+.0f} % |")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        work(int(sys.argv[1]), sys.argv[2])
    else:
        main()
