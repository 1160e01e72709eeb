"""A YAML file as plain values plus the line of every key, by YAML 1.2: `on` is a string, `1e-3` a number."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import yaml

from bench.errors import UserError

MAX_DEPTH = 40
KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """The content of a file, and where each key path stands in it."""

    file: Path
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(repr=False)

    def where(self, path: KeyPath) -> str:
        """`file:line: key` of a key path, or of the nearest one above it that the file holds."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        location = f"{self.file}:{self.lines.get(known, 1)}"
        return f"{location}: {'.'.join(path)}" if path else location


def read_yaml(file: Path) -> Document:
    """Reads a file whose top level is a mapping; every fault is one UserError with its line."""
    text = _read_text(file)
    lines: dict[KeyPath, int] = {}
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            data = _value(loader, node, (), lines, file) if node is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(file, error) from error
    except yaml.YAMLError as error:
        raise UserError(f"not YAML ({error})", where=f"{file}:1") from error
    if data is None:
        raise UserError("the file is empty", where=f"{file}:1", remedy="write at least one key")
    if not isinstance(data, dict):
        raise UserError(
            f"the top level is a {_name(data)}, not a mapping", where=f"{file}:1", remedy="write `key: value` lines"
        )
    return Document(file, data, lines)


def read_value(text: str) -> Any:
    """The value of a `key=value` on the command line, read by the same rules."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        return None if node is None else _value(loader, node, (), {}, Path("--set"))
    except yaml.YAMLError:
        return text
    finally:
        loader.dispose()


def _read_text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(
            "no such file", where=str(file), remedy="`locbench studies` lists the studies that come along"
        ) from None
    except IsADirectoryError:
        raise UserError("is a folder, not a file", where=str(file)) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"byte {error.object[error.start]:#x} is not UTF-8", where=f"{file}:{line}", remedy="save the file as UTF-8"
        ) from None
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})", where=str(file)) from error


def _syntax_error(file: Path, error: yaml.MarkedYAMLError) -> UserError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    problem = error.problem or "not YAML"
    if "'\\t'" in problem or "\\t" in problem:
        return UserError("a tab stands where YAML wants spaces", where=f"{file}:{line}", remedy="indent with spaces")
    return UserError(problem, where=f"{file}:{line}", remedy="see the line and the one before it")


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalar rules of YAML 1.2's core schema."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]


_RESOLVERS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "null": (r"~|null|Null|NULL|", ("~", "n", "N", "")),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
for _tag, (_pattern, _first) in _RESOLVERS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def _value(loader: _Loader, node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], file: Path) -> Any:
    if len(path) > MAX_DEPTH:
        raise UserError(f"nested deeper than {MAX_DEPTH} levels", where=f"{file}:{node.start_mark.line + 1}")
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, lines, file)
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            lines[(*path, str(i))] = item.start_mark.line + 1
        return [_value(loader, item, (*path, str(i)), lines, file) for i, item in enumerate(node.value)]
    if node.tag == "tag:yaml.org,2002:int":
        return int(node.value)
    if node.tag == "tag:yaml.org,2002:float":
        return float(re.sub(r"^([-+]?)\.(inf|nan)", r"\1\2", node.value.lower()))
    return loader.construct_object(node)


def _mapping(
    loader: _Loader, node: yaml.MappingNode, path: KeyPath, lines: dict[KeyPath, int], file: Path
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = _key(key_node, f"{file}:{line}")
        if key in result:
            first = lines[(*path, key)]
            raise UserError(
                f"the key stands twice (first on line {first})",
                where=f"{file}:{line}: {'.'.join((*path, key))}",
                remedy="keep one",
            )
        lines[(*path, key)] = line
        result[key] = _value(loader, value_node, (*path, key), lines, file)
    return result


def _key(node: yaml.Node, where: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise UserError("a key is not a plain word", where=where)
    return str(node.value)


def _name(value: object) -> str:
    return "list" if isinstance(value, list) else "plain value"
