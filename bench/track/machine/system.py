"""The load of a machine while it trains: a light thread writes a line a sample, and no more than that.

Whoever trains, on whatever machine, leaves such a file in the training's folder; `samples` reads them. Nothing here
knows of MLflow, so that a worker need not load it.
"""

import json
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import psutil

EVERY_SECONDS = 10.0
SPARSER = 0.002
"""Of the time gone: samples of a long training are further apart, so that a week is some thousand lines."""
Sample = dict[str, Any]


class Gpu:
    """One GPU as NVML shows it."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle

    @classmethod
    def of(cls, uuid: str | None) -> "Gpu | None":
        """None without a GPU, without NVML, or where NVML does not know it (a slice of a GPU, for one)."""
        if uuid is None:
            return None
        try:
            import pynvml

            pynvml.nvmlInit()
            return cls(pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid.encode()))
        except Exception:
            return None

    def sample(self) -> dict[str, float]:
        """What the GPU tells of; `joules` counts since its driver was loaded."""
        questions = {
            "percent": lambda: self._nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu,
            "memory_mb": lambda: self._nvml.nvmlDeviceGetMemoryInfo(self._handle).used / 1e6,
            "watts": lambda: self._nvml.nvmlDeviceGetPowerUsage(self._handle) / 1e3,
            "joules": lambda: self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle) / 1e3,
        }
        answers = {}
        for name, question in questions.items():
            try:
                answers[name] = question()
            except self._nvml.NVMLError:
                continue
        return answers


class SystemLog:
    """Samples host, process and GPU into a file of its own while it is open: at once, every few seconds, at the end."""

    def __init__(self, folder: Path, gpu_uuid: str | None = None, every: float = EVERY_SECONDS) -> None:
        self._every = every
        self._uuid, self._gpu = gpu_uuid, Gpu.of(gpu_uuid)
        self._host, self._process = socket.gethostname(), psutil.Process()
        self._path = folder / f"{time.time_ns()}-{self._host}-{os.getpid()}.jsonl"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="system-log", daemon=True)

    def __enter__(self) -> "SystemLog":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        psutil.cpu_percent()
        self._write()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._write()

    def sample(self) -> Sample:
        memory = psutil.virtual_memory()
        found: Sample = {
            "time": time.time(),
            "host": self._host,
            "cpu_percent": psutil.cpu_percent(),
            "memory_mb": memory.used / 1e6,
            "memory_percent": memory.percent,
            "process_mb": self._process.memory_info().rss / 1e6,
        }
        if self._uuid is not None:
            found["gpu"] = {"uuid": self._uuid} | (self._gpu.sample() if self._gpu else {})
        return found

    def _watch(self) -> None:
        started = time.monotonic()
        while not self._stop.wait(max(self._every, SPARSER * (time.monotonic() - started))):
            self._write()

    def _write(self) -> None:
        """A full disk ends the samples, not the training."""
        try:
            with self._path.open("a") as file:
                file.write(json.dumps(self.sample()) + "\n")
        except OSError:
            self._stop.set()
