"""The load of machines is written while they work, and read back from one worker or many, alive or killed."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from bench.track.machine.samples import SystemFiles
from bench.track.machine.system import Gpu, SystemLog
from bench.track.machine.tail import Tail


def worker(folder: Path, name: str, *samples: dict[str, Any]) -> None:
    facts = {"host": "a", "cpu_percent": 50.0, "memory_mb": 1000.0, "memory_percent": 10.0, "process_mb": 200.0}
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(facts | sample) + "\n" for sample in samples))


def gpu(uuid: str, joules: float) -> dict[str, Any]:
    return {"uuid": uuid, "percent": 90, "memory_mb": 8000.0, "watts": 300.0, "joules": joules}


def test_a_working_process_is_sampled_at_once_on_the_way_and_at_the_end(tmp_path: Path) -> None:
    with SystemLog(tmp_path, every=0.05):
        time.sleep(0.4)
    found = SystemFiles(tmp_path)
    points = list(found.new_points())
    assert len(points) >= 3
    for _, _, load in points:
        assert set(load) == {
            "system/cpu_utilization_percentage",
            "system/system_memory_usage_megabytes",
            "system/system_memory_usage_percentage",
        }
        assert 0 <= load["system/cpu_utilization_percentage"] <= 100
        assert 0 < load["system/system_memory_usage_percentage"] < 100
    assert 0.01 < found.cost()["host_memory_gb"] < 100
    assert "energy_wh" not in found.cost()


def test_a_full_disk_ends_the_samples_and_nothing_else(tmp_path: Path) -> None:
    with SystemLog(tmp_path, every=0.01) as log:
        log._path.unlink()
        log._path.mkdir()
        time.sleep(0.1)
    assert list(SystemFiles(tmp_path).new_points()) == []


def test_only_what_is_new_is_given(tmp_path: Path) -> None:
    found = SystemFiles(tmp_path)
    assert list(found.new_points()) == []
    worker(tmp_path, "1", {"time": 100.0})
    assert [(at, step) for at, step, _ in found.new_points()] == [(100.0, 0)]
    worker(tmp_path, "1", {"time": 100.0}, {"time": 112.7, "process_mb": 900.0})
    assert [(at, step) for at, step, _ in found.new_points()] == [(112.7, 12)]
    assert list(found.new_points()) == []
    assert found.cost() == {"host_memory_gb": 0.9, "wall_hours": pytest.approx(12.7 / 3600), "gpu_hours": 0}


def test_hosts_and_gpus_are_told_apart(tmp_path: Path) -> None:
    worker(tmp_path, "1", {"time": 0.0, "gpu": gpu("GPU-x", 0)})
    worker(tmp_path, "2", {"time": 0.0, "gpu": gpu("GPU-y", 0)})
    worker(tmp_path, "3", {"time": 0.0, "host": "b", "gpu": gpu("GPU-z", 0)})
    names = [set(load) for _, _, load in SystemFiles(tmp_path).new_points()]
    assert "system/gpu_0_utilization_percentage" in names[0]
    assert "system/gpu_1_power_usage_watts" in names[1]
    assert {"system/node_1/cpu_utilization_percentage", "system/node_1/gpu_2_memory_usage_megabytes"} <= names[2]


def test_time_and_energy_count_once_and_those_of_killed_workers_too(tmp_path: Path) -> None:
    worker(tmp_path, "1", *({"time": j, "gpu": gpu("GPU-x", 3600.0 * j)} for j in (1, 2, 5)))
    worker(tmp_path, "2", *({"time": j, "gpu": gpu("GPU-x", 3600.0 * j)} for j in (2, 4)))
    worker(tmp_path, "3", *({"time": j, "gpu": gpu("GPU-x", 3600.0 * j)} for j in (9, 10)))
    worker(tmp_path, "4", *({"time": j, "gpu": gpu("GPU-y", 3600.0 * j)} for j in (50, 52)))
    found = SystemFiles(tmp_path)
    list(found.new_points())
    spent = (5 - 1) + (10 - 9) + (52 - 50)
    assert found.cost()["energy_wh"] == pytest.approx(spent)
    assert found.cost()["gpu_hours"] * 3600 == pytest.approx(spent)
    assert found.cost()["wall_hours"] * 3600 == pytest.approx(spent)


def test_a_line_that_is_cut_short_waits_or_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "f"
    tail = Tail(file)
    assert tail.lines() == []
    file.write_text('{"a": 1}\n{"a": 2')
    assert tail.lines() == [{"a": 1}]
    file.write_text('{"a": 1}\n{"a": 2{"a": 3}\n{"a": 4}\n[]\n')
    assert tail.lines() == [{"a": 4}]


class Nvml:
    """A GPU whose power is unknown to the driver, as NVML answers for it."""

    class NVMLError(Exception):
        pass

    class _Answer:
        gpu, used = 70, 5e9

    def nvmlDeviceGetUtilizationRates(self, handle: object) -> Any:
        return self._Answer

    def nvmlDeviceGetMemoryInfo(self, handle: object) -> Any:
        return self._Answer

    def nvmlDeviceGetPowerUsage(self, handle: object) -> Any:
        raise self.NVMLError

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object) -> int:
        return 7200


def test_what_a_gpu_does_not_tell_is_left_out() -> None:
    assert Gpu(Nvml(), None).sample() == {"percent": 70, "memory_mb": 5000.0, "joules": 7.2}


def test_a_machine_without_gpus_has_none() -> None:
    assert Gpu.of(None) is None
    assert Gpu.of("GPU-00000000-0000-0000-0000-000000000000") is None
