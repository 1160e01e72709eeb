"""Reads what `system` wrote, of one worker or of many on several machines: load over time, and what it came to."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from bench.track.machine.system import Sample
from bench.track.machine.tail import Tail

Point = tuple[float, int, dict[str, float]]
"""time, step, metrics"""
HOST = {
    "cpu_percent": "cpu_utilization_percentage",
    "memory_mb": "system_memory_usage_megabytes",
    "memory_percent": "system_memory_usage_percentage",
}
GPU = {"percent": "utilization_percentage", "memory_mb": "memory_usage_megabytes", "watts": "power_usage_watts"}


class SystemFiles:
    """The files of one training: `new_points` while it grows, `cost` of all that was read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tails: dict[str, Tail] = {}
        self._samples: dict[str, list[Sample]] = defaultdict(list)
        self._hosts: list[str] = []
        self._gpus: list[str] = []

    def new_points(self) -> Iterator[Point]:
        """Named as MLflow's own monitor names them, by the second. The names of a second host begin with `node_1`."""
        for path in sorted(self._folder.glob("*.jsonl")):
            for sample in self._tails.setdefault(path.name, Tail(path)).lines():
                self._samples[path.name].append(sample)
                yield sample["time"], int(sample["time"] - self._start), self._named(sample)

    def cost(self) -> dict[str, float]:
        """Hours by the clock and of GPUs, the most memory that a worker took of its host, the energy of GPUs that tell.

        What workers share, time or a GPU, counts once; what a worker that was killed had used counts, too.
        """
        if not self._samples:
            return {}
        workers = list(self._samples.values())
        of_gpus = [[sample for sample in samples if "gpu" in sample] for samples in workers]
        found = {
            "wall_hours": _union([_span(samples) for samples in workers]) / 3600,
            "gpu_hours": sum(_unions(of_gpus, lambda sample: sample["time"])) / 3600,
            "host_memory_gb": max(sample["process_mb"] for samples in workers for sample in samples) / 1e3,
        }
        counted = [[sample for sample in samples if "joules" in sample["gpu"]] for samples in of_gpus]
        if any(counted):
            found["energy_wh"] = sum(_unions(counted, lambda sample: sample["gpu"]["joules"])) / 3600
        return found

    @property
    def _start(self) -> float:
        first: float = next(iter(self._samples.values()))[0]["time"]
        return first

    def _named(self, sample: Sample) -> dict[str, float]:
        host = _number(self._hosts, sample["host"])
        node = f"system/node_{host}/" if host else "system/"
        load = {node + name: sample[key] for key, name in HOST.items()}
        gpu = sample.get("gpu", {})
        if gpu:
            prefix = f"{node}gpu_{_number(self._gpus, gpu['uuid'])}_"
            load |= {prefix + name: gpu[key] for key, name in GPU.items() if key in gpu}
        return load


def _span(samples: Sequence[Sample]) -> tuple[float, float]:
    return samples[0]["time"], samples[-1]["time"]


def _unions(workers: Iterable[Sequence[Sample]], count: Callable[[Sample], float]) -> Iterator[float]:
    """How far a count went on each GPU while somebody used it."""
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for samples in filter(None, workers):
        spans[samples[0]["gpu"]["uuid"]].append((count(samples[0]), count(samples[-1])))
    return map(_union, spans.values())


def _union(spans: list[tuple[float, float]]) -> float:
    total, end = 0.0, float("-inf")
    for low, high in sorted(spans):
        total += max(0.0, high - max(low, end))
        end = max(end, high)
    return total


def _number(known: list[str], name: str) -> int:
    """The place of a name among those met so far."""
    if name not in known:
        known.append(name)
    return known.index(name)
