"""What a run costs: wall time, GPU-hours, energy and memory, and the machine's load while it runs."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psutil

from bench.track.tracker import Tracker

SAMPLE_EVERY_SECONDS = 10.0


@dataclass
class Gpus:
    """The GPUs that NVML shows; none where it is absent."""

    nvml: Any
    handles: list[Any] = field(default_factory=list)

    @classmethod
    def found(cls) -> "Gpus":
        try:
            import pynvml

            pynvml.nvmlInit()
            count = pynvml.nvmlDeviceGetCount()
            return cls(pynvml, [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)])
        except Exception:
            return cls(None)

    def sample(self) -> dict[str, float]:
        numbers: dict[str, float] = {}
        for index, handle in enumerate(self.handles):
            memory = self.nvml.nvmlDeviceGetMemoryInfo(handle)
            load = self.nvml.nvmlDeviceGetUtilizationRates(handle)
            numbers[f"system/gpu_{index}_memory_usage_gigabytes"] = memory.used / 1e9
            numbers[f"system/gpu_{index}_utilization_percentage"] = load.gpu
        return numbers

    def joules(self) -> float | None:
        """Energy used since the driver was loaded; None where the GPU does not count it."""
        try:
            return sum(self.nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3 for handle in self.handles)
        except Exception:
            return None


class SystemMonitor:
    """Logs the machine's load under `system/` while it is open, and afterwards knows what the run cost."""

    def __init__(
        self, tracker: Tracker, run_id: str, gpus: int | float = 0, every: float = SAMPLE_EVERY_SECONDS
    ) -> None:
        self._tracker, self._run_id, self._every = tracker, run_id, every
        self._gpus_used = gpus
        self._gpus = Gpus.found()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="system-monitor", daemon=True)
        self._process = psutil.Process()
        self._peak_bytes = 0

    def __enter__(self) -> "SystemMonitor":
        self._started, self._joules = time.monotonic(), self._gpus.joules()
        psutil.cpu_percent()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        self._note_memory()
        self._seconds = time.monotonic() - self._started

    def cost(self) -> dict[str, float]:
        """`wall_hours`, `gpu_hours`, `host_memory_gb`, and `energy_wh` of all GPUs of the machine where they tell."""
        hours = self._seconds / 3600
        cost = {"wall_hours": hours, "gpu_hours": hours * self._gpus_used, "host_memory_gb": self._peak_bytes / 1e9}
        joules = self._gpus.joules() if self._gpus.handles else None
        if self._gpus_used and joules is not None and self._joules is not None:
            cost["energy_wh"] = (joules - self._joules) / 3600
        return cost

    def _watch(self) -> None:
        step = 0
        while not self._stop.wait(self._every):
            self._note_memory()
            memory = psutil.virtual_memory()
            load = {
                "system/cpu_utilization_percentage": psutil.cpu_percent(),
                "system/system_memory_usage_megabytes": memory.used / 1e6,
                "system/system_memory_usage_percentage": memory.percent,
            }
            self._tracker.log(self._run_id, load | self._gpus.sample(), step)
            step += 1

    def _note_memory(self) -> None:
        self._peak_bytes = max(self._peak_bytes, self._process.memory_info().rss)
