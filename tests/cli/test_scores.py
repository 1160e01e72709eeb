"""`evaluate` and `rescore` as a user types them."""

import json
from pathlib import Path

import pytest

from bench.cli import DONE, WRONG_INPUT, run_app


@pytest.fixture
def parity(shared_data: Path) -> tuple[str, str]:
    folder = shared_data / "coco_parity"
    return str(folder / "instances_val2014_fakebbox100_results.json"), str(folder / "instances_val2014_100.json")


def test_evaluate_prints_the_official_numbers(parity: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    detections, truth = parity
    assert run_app(["evaluate", detections, "--data", truth, "--per-class"]) == DONE
    text = capsys.readouterr().out
    for line in ("AP                   0.504581", "AP75                 0.572982", "AR100                0.595353"):
        assert line in text
    assert "\nperson " in text


def test_evaluate_compares_and_writes_json(
    parity: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detections, truth = parity
    worse = tmp_path / "worse.json"
    worse.write_text(json.dumps(json.loads(Path(detections).read_text())[::2]))
    out = tmp_path / "numbers.json"
    assert run_app(["evaluate", detections, str(worse), "--data", truth, "--compare", "--json", str(out)]) == DONE
    assert "AP: 0.5046 -> 0." in capsys.readouterr().out
    numbers = json.loads(out.read_text())
    assert numbers["evaluations"][0]["metrics"]["AP"] == pytest.approx(0.504581, abs=1e-6)
    assert numbers["evaluations"][1]["metrics"]["AP"] < 0.45


WRONG = {
    "no such detections": ["evaluate", "no.json", "--data", "TRUTH"],
    "no such data": ["evaluate", "DETECTIONS", "--data", "no.json"],
    "unknown protocol": ["evaluate", "DETECTIONS", "--data", "TRUTH", "--protocol", "cocoo"],
    "no raw predictions": ["rescore", "no/raw", "--data", "TRUTH"],
    "a sweep without values": ["rescore", "no/raw", "--data", "TRUTH", "--sweep", "vote.sigma"],
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_one_line(name: str, parity: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    names = {"DETECTIONS": parity[0], "TRUTH": parity[1]}
    assert run_app([names.get(argument, argument) for argument in WRONG[name]]) == WRONG_INPUT
    shown = capsys.readouterr()
    assert shown.err.startswith("locbench: ")
    assert shown.err.count("\n") == 1
