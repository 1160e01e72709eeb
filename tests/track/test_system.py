"""What a run costs is measured while it runs."""

import time

import pytest

from bench.track.system import Gpus, SystemMonitor
from bench.track.tracker import Tracker


def test_load_is_logged_and_cost_is_known(tracker: Tracker) -> None:
    run = tracker.start_row("study", "a", 0, {}, {})
    with SystemMonitor(tracker, run, gpus=2, every=0.05) as monitor:
        time.sleep(0.4)
    cost = monitor.cost()
    tracker.finish(run, "done", metrics=cost)
    (record,) = tracker.records("study")
    assert 0 <= record.metrics["system/cpu_utilization_percentage"] <= 100
    assert 0 < record.metrics["system/system_memory_usage_percentage"] < 100
    assert cost["wall_hours"] >= 0.4 / 3600
    assert cost["gpu_hours"] == pytest.approx(2 * cost["wall_hours"])
    assert 0.01 < record.metrics["host_memory_gb"] < 100


def test_a_machine_without_nvml_has_no_gpus() -> None:
    none = Gpus(None)
    assert none.sample() == {}
    assert none.joules() in (None, 0)
