from pathlib import Path

import pytest

from bench.config.yaml_file import read_value, read_yaml
from bench.errors import UserError


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "study.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_values_follow_yaml_1_2_and_lines_are_kept(tmp_path: Path) -> None:
    document = read_yaml(write(tmp_path, "a: 1e-3\nb:\n  on: no\n  list: [1, 2.5, .inf, ~]\n  013: 12:30\nc: '5'\n"))
    assert document.data == {
        "a": 0.001,
        "b": {"on": "no", "list": [1, 2.5, float("inf"), None], "013": "12:30"},
        "c": "5",
    }
    assert document.lines[("b", "list")] == 4
    assert document.where(("b", "list", "9", "x")).endswith("study.yaml:4: b.list.9.x")


FAULTS = {
    "empty": ("", ":1: the file is empty"),
    "only a comment": ("# nothing\n", ":1: the file is empty"),
    "tab": ("a:\n\tb: 1\n", ":2: a tab stands where YAML wants spaces"),
    "duplicate key": ("a: 1\nb: 2\na: 3\n", ":3: a: the key stands twice (first on line 1)"),
    "nested duplicate": ("r:\n  x: 1\n  x: 2\n", ":3: r.x: the key stands twice (first on line 2)"),
    "list at top": ("- a\n- b\n", ":1: the top level is a list, not a mapping"),
    "scalar at top": ("hello\n", ":1: the top level is a plain value, not a mapping"),
    "unclosed bracket": ("a: [1, 2\nb: 3\n", ":2:"),
    "not utf-8": (b"a: 1\nb: \xff\n", ":2: byte 0xff is not UTF-8"),
    "two documents": ("a: 1\n---\nb: 2\n", ":2:"),
    "a mapping as key": ("? {a: 1}\n: 2\n", ":1: a key is not a plain word"),
    "python object": ("a: !!python/object/apply:os.system [ls]\n", None),
    "too deep": ("a: " + "[" * 60 + "]" * 60, "nested deeper than"),
    "alias to itself": ("a: &x [*x]\n", "nested deeper than"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_one_line_with_its_place(tmp_path: Path, name: str) -> None:
    text, expected = FAULTS[name]
    if expected is None:
        assert read_yaml(write(tmp_path, text)).data == {"a": ["ls"]}, "tags are never acted on"
        return
    with pytest.raises(UserError) as caught:
        read_yaml(write(tmp_path, text))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: no such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="is a folder"):
        read_yaml(tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("[1, 2]", [1, 2]), ("abc", "abc"), ("", None), ("{a: 1}", {"a": 1}), ("[1", "[1")],
)
def test_values_on_the_command_line(text: str, value: object) -> None:
    assert read_value(text) == value
