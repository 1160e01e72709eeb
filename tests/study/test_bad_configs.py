"""Every way we could think of to get a study file wrong, and the one line that each prints."""

from pathlib import Path

import pytest

from bench.cli import WRONG_INPUT, run_app

GOOD = """title: a study
data: {kind: synthetic, preset: tiny}
variant: faster_rcnn_tiny
train: {epochs: 1}
rows:
  base: {}
  other:
    train.lr: 0.01
    detector:
      post: {max_detections: 50}
"""

# name -> (the file, what follows `locbench: <file>` on the one line)
BAD: dict[str, tuple[str | bytes, str]] = {
    "empty file": ("", ":1: the file is empty; write at least one key"),
    "comment only": ("# soon\n", ":1: the file is empty"),
    "tab": (GOOD + "\tx: 1\n", ":11: a tab stands where YAML wants spaces; indent with spaces"),
    "not UTF-8": (GOOD.encode() + b"about: caf\xe9\n", ":11: byte 0xe9 is not UTF-8; save the file as UTF-8"),
    "list at the top": ("- a\n", ":1: the top level is a list, not a mapping; write `key: value` lines"),
    "unclosed brace": (GOOD.replace("preset: tiny}", "preset: tiny"), ":3: "),
    "duplicate key": (GOOD + "seeds: 1\nseeds: 2\n", ":12: seeds: the key stands twice (first on line 11); keep one"),
    "duplicate row": (GOOD + "  base: {}\n", ":11: rows.base: the key stands twice (first on line 6); keep one"),
    "unknown top key": (GOOD + "sedes: 3\n", ":11: sedes: StudyFile has no setting 'sedes'; did you mean 'seeds'?"),
    "no title": (GOOD.replace("title: a study\n", ""), ":1: StudyFile needs 'title'; add it"),
    "no rows": (GOOD.partition("rows:")[0] + "rows: {}\n", ":5: rows: the study has no rows; name at least one"),
    "rows is a list": (
        GOOD.partition("rows:")[0] + "rows: [a, b]\n",
        ":5: rows: should be a mapping, not ['a', 'b']",
    ),
    "a row is a number": (GOOD + "  third: 3\n", ":11: rows.third: should be a mapping, not 3"),
    "seeds is a word": (GOOD + "seeds: three\n", ":11: seeds: should be a valid integer, not 'three'"),
    "seeds is zero": (GOOD + "seeds: 0\n", ":11: seeds: should be greater than or equal to 1, not 0"),
    "no data": (
        GOOD.replace("data: {kind: synthetic, preset: tiny}\n", ""),
        ":1: the study does not say on what data it runs; write `data:`, or `recipe:` with one of ",
    ),
    "unknown recipe": (
        GOOD + "recipe: iou_nett\n",
        ":11: recipe: no recipe is called 'iou_nett'; did you mean 'iou_net'?",
    ),
    "unknown variant": (
        GOOD.replace("faster_rcnn_tiny", "faster_rcnn_tinny"),
        ":3: variant: no variant is called 'faster_rcnn_tinny'; did you mean 'faster_rcnn_tiny'?",
    ),
    "unknown variant in a row": (
        GOOD + "  third: {variant: retina}\n",
        ":11: rows.third.variant: no variant is called 'retina'; ",
    ),
    "variant is a number": (GOOD.replace("faster_rcnn_tiny", "3"), ":3: variant: should be a valid string, not 3"),
    "unknown data format": (
        GOOD.replace("kind: synthetic", "kind: synthetik"),
        ":2: data.kind: 'synthetik' is no kind of data; did you mean 'synthetic'?",
    ),
    "data without a kind": (
        GOOD.replace("kind: synthetic, ", ""),
        ":2: data.preset: data: which kind of data?; there is ",
    ),
    "wrong data setting": (
        GOOD.replace("preset: tiny", "pre: tiny"),
        ":2: data.pre: data 'synthetic' has no setting 'pre'; ",
    ),
    "wrong choice": (
        GOOD.replace("preset: tiny", "preset: tyny"),
        ":2: data.preset: should be 'tiny' or 'small', not 'tyny'; did you mean 'tiny'?",
    ),
    "unknown setting, dotted": (
        GOOD.replace("train.lr", "train.lrr"),
        ":8: rows.other.train.lrr: TrainConfig has no setting 'lrr'; did you mean 'lr'?",
    ),
    "unknown setting, nested": (
        GOOD.replace("max_detections", "max_detektions"),
        ":10: rows.other.detector.post.max_detektions: post 'standard' has no setting 'max_detektions'; "
        "did you mean 'max_detections'?",
    ),
    "unknown section in a row": (
        GOOD.replace("train.lr", "trian.lr"),
        ":8: rows.other.trian.lr: trian: Recipe has no setting 'trian'; did you mean 'train'?",
    ),
    "wrong type": (
        GOOD.replace("lr: 0.01", "lr: fast"),
        ":8: rows.other.train.lr: should be a valid number, not 'fast'",
    ),
    "out of range": (GOOD.replace("lr: 0.01", "lr: -1"), ":8: rows.other.train.lr: should be greater than 0, not -1"),
    "true for a number": (
        GOOD.replace("50", "true"),
        ":10: rows.other.detector.post.max_detections: should be a valid integer",
    ),
    "not a number": (GOOD.replace("lr: 0.01", "lr: .nan"), ":8: rows.other.train.lr: "),
    "a mapping for a number": (
        GOOD.replace("lr: 0.01", "lr: {a: 1}"),
        ":8: rows.other.train.lr.a: train.lr: should be a valid number, not {'a': 1}",
    ),
    "unknown kind of a part": (
        GOOD.replace("{max_detections: 50}", "{suppress: {kind: hrad}}"),
        ":10: rows.other.detector.post.suppress.kind: 'hrad' is no kind of suppress; did you mean 'hard'?",
    ),
    "a check across settings": (
        GOOD.replace("lr: 0.01", "nesterov: true\n    train.momentum: 0"),
        ":9: rows.other.train.momentum: train: nesterov needs a momentum above 0",
    ),
    "unknown baseline": (GOOD + "baseline: bse\n", ":11: baseline: no row is called 'bse'; did you mean 'base'?"),
    "published row that is not there": (
        GOOD + "published: {paper: p, table: t, rows: {bases: {AP: 1}}}\n",
        ":11: published.rows.bases: no row is called 'bases'; did you mean 'base'?",
    ),
    "published without a table": (
        GOOD + "published: {paper: p, rows: {}}\n",
        ":11: published: Published needs 'table'; add it",
    ),
    "nested too deep": (GOOD + "about: " + "[" * 60 + "]" * 60 + "\n", ":11: nested deeper than 40 levels"),
    "wrong setting in a profile": (
        GOOD + "profiles: {smoke: {train.epoch: 1}}\n",
        ":11: profiles.smoke.train.epoch: TrainConfig has no setting 'epoch'; did you mean 'epochs'?",
    ),
}


def line_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command with wrong input leaves on stderr."""
    assert run_app(arguments) == WRONG_INPUT
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert len(lines) == 1, shown.err
    assert "Traceback" not in lines[0]
    return lines[0]


@pytest.mark.parametrize("name", BAD)
def test_each_bad_file_is_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, expected = BAD[name]
    file = tmp_path / "study.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    profile = ["--profile", "smoke"] if "profile" in name else []
    line = line_of(["run", str(file), "--dry-run", "--storage", str(tmp_path / "runs"), *profile], capsys)
    assert line.startswith(f"locbench: {file}{expected}")
    assert not (tmp_path / "runs").exists(), "nothing was begun"


COMMANDS = {
    "missing file": (["run", "no/such.yaml"], "no/such.yaml: no such file"),
    "a folder": (["run", "."], ".: is a folder, not a file"),
    "unknown study": (["run", "quikstart"], "study: no study is called 'quikstart'; did you mean 'quickstart'?"),
    "unknown profile": (["run", "FILE", "--profile", "huge"], "has no profile 'huge'; there is full"),
    "unknown row": (["run", "FILE", "--rows", "bose"], "--rows: no row is called 'bose'; did you mean 'base'?"),
    "setting without a value": (["run", "FILE", "--set", "train.lr"], "--set: 'train.lr' is not key=value"),
    "wrong setting": (["run", "FILE", "--set", "train.lrr=1"], "--set: train.lrr: TrainConfig has no setting 'lrr'"),
    "wrong value": (["run", "FILE", "--set", "train.lr=fast"], "--set: train.lr: should be a valid number, not 'fast'"),
    "unknown command": (["rnu"], "No such command 'rnu'. Did you mean 'run'?"),
    "unknown option": (["run", "FILE", "--workerz", "2"], "No such option: --workerz"),
    "no study given": (["run"], "Missing argument 'study'"),
    "no workers": (["run", "FILE", "--workers", "0"], "Invalid value for '--workers'"),
    "unknown variant": (
        ["variants", "retinanet_tinny"],
        "variants: no variant is called 'retinanet_tinny'; did you mean",
    ),
    "unknown format": (
        ["variants", "faster_rcnn_tiny", "--format", "xml"],
        "--format: cannot be 'xml'; it is table or yaml",
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_wrong_command_is_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, expected = COMMANDS[name]
    file = tmp_path / "study.yaml"
    file.write_text(GOOD)
    assert expected in line_of([str(file) if argument == "FILE" else argument for argument in arguments], capsys)


def test_debug_shows_the_traceback_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["run", str(tmp_path / "no.yaml"), "--debug"]) == WRONG_INPUT
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert shown.splitlines()[-1].startswith("locbench: ")
