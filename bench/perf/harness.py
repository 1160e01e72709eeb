"""Ours and a peer alternately in one process on the same inputs: outputs checked first, then time and memory."""

import ctypes
import gc
import importlib
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from bench.config.suggest import remedy
from bench.errors import StepFailed, UserError
from bench.train.distributed.place import best_device


class Disagreement(StepFailed):
    """Two sides that should compute the same do not: their times are not worth comparing."""


@dataclass(frozen=True)
class Case:
    """One thing to measure. A side is a function without arguments that does the whole work once."""

    name: str
    ours: Callable[[], Any]
    peer: Callable[[], Any] | None = None
    peer_name: str = ""
    agree: Callable[[Any, Any], str] = lambda ours, peer: "not compared"
    """Raises Disagreement, or says how far the outputs agree."""
    items: int = 1
    """Pieces of work in one call, such as images: they make the rate."""
    unit: str = "call"
    note: str | Callable[[], str] = ""
    """What a reader should know; a function is called once the case was measured."""


@dataclass(frozen=True)
class Timing:
    """Milliseconds a call; nothing is left out as an outlier."""

    median_ms: float
    p95_ms: float
    spread: float
    """The middle half of the calls over the median."""
    runs: int
    rate: float
    """Items a second, at the median."""
    peak_mb: float | None
    """Memory that one call takes on top of what was there: of the GPU, or of the process on Linux."""


@dataclass(frozen=True)
class Comparison:
    """A measured case. `ratio` is the peer's median time over ours: above 1 ours is faster."""

    suite: str
    case: str
    ours: Timing
    peer: Timing | None
    peer_name: str
    ratio: float | None
    agreement: str
    unit: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How long to measure."""

    seconds: float = 3.0
    """For both sides of a case together, after warm-up."""
    min_runs: int = 5
    max_runs: int = 500
    warm_up: int = 2
    only: str = ""
    """Cases with this in their name."""
    device: torch.device = field(default_factory=best_device)


def suites() -> dict[str, str]:
    """Name and description of each suite, read as text: to import one takes seconds."""
    files = sorted(Path(__file__).with_name("suites").glob("[!_]*.py"))
    return {file.stem: file.read_text().split('"""')[1].splitlines()[0] for file in files}


def run(suite: str, **options: Any) -> list[Comparison]:
    """Measures all cases of a suite, one after the other."""
    return list(measure(suite, Options(**options)))


def measure(suite: str, options: Options) -> Iterator[Comparison]:
    """Like `run`, case by case as they come."""
    if suite not in suites():
        raise UserError(f"no suite is called {suite!r}", where="locbench perf", remedy=remedy(suite, suites()))
    module = importlib.import_module(f"bench.perf.suites.{suite}")
    if hasattr(module, "comparisons"):
        yield from module.comparisons(options)
        return
    names = []
    for case in module.cases(options.device):
        names.append(case.name)
        if options.only in case.name:
            yield compare(case, options, suite)
    chosen(names, options.only)


def chosen(names: Iterable[str], only: str) -> list[str]:
    """The cases that were asked for; raises where there is none."""
    found = [name for name in names if only in name]
    if not found:
        raise UserError(f"no case has {only!r} in its name", where="--only", remedy=remedy(only, names))
    return found


def compare(case: Case, options: Options, suite: str = "") -> Comparison:
    """Ours and the peer in turns, so that a machine that slows down slows down both."""
    sides = [case.ours] if case.peer is None else [case.ours, case.peer]
    outputs = [side() for side in sides]
    agreement = case.agree(*outputs) if case.peer else ""
    del outputs
    for side in sides * (options.warm_up - 1):
        side()
    times: list[list[float]] = [[] for _ in sides]
    started = time.perf_counter()
    while len(times[0]) < options.min_runs or (
        time.perf_counter() - started < options.seconds and len(times[0]) < options.max_runs
    ):
        for side, own in zip(sides, times, strict=True):
            own.append(_timed(side, options.device))
    timings = [
        timing(own, case.items, peak_memory_mb(side, options.device)) for own, side in zip(times, sides, strict=True)
    ]
    ours, peer = timings[0], timings[1] if case.peer else None
    ratio = peer.median_ms / ours.median_ms if peer else None
    note = case.note if isinstance(case.note, str) else case.note()
    return Comparison(suite, case.name, ours, peer, case.peer_name, ratio, agreement, case.unit, note)


def close(ours: Any, peer: Any, tolerance: float = 1e-5) -> str:
    """For `Case.agree`: tensors, or nests of them, that differ by no more than float arithmetic does."""
    worst = 0.0
    for a, b in zip(_tensors(ours), _tensors(peer), strict=True):
        if a.shape != b.shape:
            raise Disagreement(f"the outputs differ in shape: {tuple(a.shape)} and {tuple(b.shape)}")
        scale = max(1.0, float(b.abs().max())) if b.numel() else 1.0
        difference = float((a.double() - b.double()).abs().max()) / scale if a.numel() else 0.0
        if not difference <= tolerance:
            raise Disagreement(f"the outputs differ by {difference:.2g}, more than {tolerance:g}")
        worst = max(worst, difference)
    return "equal" if worst == 0 else f"within {worst:.1g}"


def machine(device: torch.device) -> dict[str, Any]:
    """What the numbers were measured on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "device": name,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "system": platform.platform(),
    }


def to_json(comparisons: list[Comparison], device: torch.device) -> dict[str, Any]:
    return {"machine": machine(device), "comparisons": [asdict(comparison) for comparison in comparisons]}


def peak_memory_mb(side: Callable[[], Any], device: torch.device) -> float | None:
    """What one call needs beyond what is held before it."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        side()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    try:
        _give_back_free_memory()
        Path("/proc/self/clear_refs").write_text("5")
        before = _status_kb("VmRSS")
        side()
        return max(0, _status_kb("VmHWM") - before) / 2**10
    except OSError:
        return None


def _give_back_free_memory() -> None:
    """To the system: a call that is served from what earlier ones left would seem to need nothing."""
    with suppress(OSError, AttributeError):  # not every C library can
        ctypes.CDLL(None).malloc_trim(0)


def _timed(side: Callable[[], Any], device: torch.device) -> float:
    _wait(device)
    started = time.perf_counter()
    side()
    _wait(device)
    return (time.perf_counter() - started) * 1e3


def timing(times: list[float], items: int, peak_mb: float | None) -> Timing:
    """Of calls that took so many milliseconds."""
    measured = torch.tensor(times, dtype=torch.float64)
    median = statistics.median(times)
    low, high, p95 = torch.quantile(measured, torch.tensor([0.25, 0.75, 0.95], dtype=torch.float64)).tolist()
    return Timing(median, p95, (high - low) / median, len(times), items / median * 1e3, peak_mb)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for name in sorted(value):
            yield from _tensors(value[name])
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _status_kb(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
