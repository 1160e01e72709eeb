"""What every command shares: help, completion, lazy imports, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bench.cli import DONE, STEP_FAILED, WRONG_INPUT, run_app
from bench.cli.app import app
from bench.config.tree import from_tree
from detectors import zoo
from detectors.families import DetectorConfig

HEAVY = {"torch", "torchvision", "ray", "mlflow", "pyarrow", "pandas", "numpy", "matplotlib", "pydantic", "rich"}
COMMANDS = sorted(command.name or command.callback.__name__ for command in app.registered_commands if command.callback)


def shown(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert run_app(arguments) == DONE
    return capsys.readouterr().out


@pytest.mark.parametrize("name", [*COMMANDS, "data prepare", "data verify", "data show"])
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown([*name.split(), "--help"], capsys)
    assert text.startswith("Usage: ")
    described = text.split("\n\n")[1].strip()
    assert len(described) > 20
    assert "Options:" in text


def test_help_lists_every_command_of_the_design(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(["--help"], capsys)
    for name in (
        "quickstart",
        "run",
        "rescore",
        "evaluate",
        "leaderboard",
        "ui",
        "submit",
        "jobs",
        "logs",
        "stop",
        "data",
        "variants",
        "studies",
        "perf",
        "doctor",
    ):
        assert f"\n  {name} " in text, name


def test_the_command_line_imports_nothing_heavy() -> None:
    code = "import sys, bench, bench.cli.app; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not HEAVY & set(out.split())


def test_completion_knows_commands() -> None:
    environment = os.environ | {"_LOCBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "locbench le", "COMP_CWORD": "1"}
    locbench = Path(sys.executable).with_name("locbench")
    out = subprocess.run([locbench], env=environment, capture_output=True, text=True, timeout=60).stdout
    assert out.split() == ["leaderboard"]


def test_doctor_finds_this_machine_well(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for amount in ("DISK_WANTED", "MEMORY_WANTED"):  # What happens to be free just now is no matter of the project.
        monkeypatch.setattr(f"bench.doctor.{amount}", 0)
    text = shown(["doctor"], capsys)
    for name in ("python", "torch", "gpu", "nccl", "ray", "mlflow", "disk", "memory"):
        assert f"ok   {name}" in text


def test_doctor_names_the_remedy(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.doctor.DISK_WANTED", 2**60)
    assert run_app(["doctor"]) == STEP_FAILED
    text = capsys.readouterr().out
    assert "BAD  disk" in text
    assert "→ free some space or choose another folder with --storage" in text


def test_variants_lists_the_zoo(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(["variants"], capsys)
    for name in zoo.names():
        assert f"\n{name} " in text
        assert zoo.description(name).split()[0] in text


def test_a_variant_shows_every_setting_with_type_and_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line.split(maxsplit=2) for line in shown(["variants", "faster_rcnn_tiny"], capsys).splitlines()]
    assert ["iou_threshold", "0.5", "float >= 0 <= 1"] in lines
    assert any(line[:2] == ["suppress", "hard"] and "soft" in line[2] for line in lines)


def test_a_variant_as_yaml_is_its_config(capsys: pytest.CaptureFixture[str]) -> None:
    tree = yaml.safe_load(shown(["variants", "retinanet_tiny", "--format", "yaml"], capsys))
    assert from_tree(DetectorConfig, tree) == zoo.config("retinanet_tiny")


def test_studies_are_listed_with_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\nquickstart " in shown(["studies"], capsys)
    assert "faster_rcnn_tiny_iou" in shown(["studies", "quickstart"], capsys)


def test_the_schema_of_studies_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    schema = json.loads(shown(["studies", "--schema"], capsys))
    assert schema["title"] == "locbench study"


def test_a_fault_of_ours_is_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> list[str]:
        raise RuntimeError("broken\nin two lines")

    monkeypatch.setattr("detectors.zoo.names", broken)
    assert run_app(["variants"]) == STEP_FAILED
    err = capsys.readouterr().err
    assert err.startswith("locbench: a fault of locbench itself: RuntimeError: broken in two lines")
    assert err.count("\n") == 1


def test_perf_lists_its_suites(capsys: pytest.CaptureFixture[str]) -> None:
    listed = {line.split()[0] for line in shown(["perf"], capsys).splitlines()}
    assert {"train", "infer", "ops", "post", "overhead", "score", "data"} <= listed


def test_an_unknown_suite_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["perf", "trian"]) == WRONG_INPUT
    assert "no suite is called 'trian'; did you mean 'train'?" in capsys.readouterr().err
