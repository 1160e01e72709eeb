"""Settings by dotted path laid over a config tree, each remembering where it was written."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.config.tree import ConfigError, from_tree
from bench.config.yaml_file import Document, KeyPath, read_value
from bench.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """One value at one path of a config tree, and the place that a person would edit to change it."""

    path: KeyPath
    value: Any
    where: str


def settings_of(document: Document, at: KeyPath) -> list[Setting]:
    """The leaves of the mapping that stands at a key path of a file; keys may be dotted or nested or both."""
    content: Any = document.data
    for key in at:
        content = content[key]
    return list(_leaves(document, at, (), content))


def settings_from_command_line(items: Iterable[str]) -> list[Setting]:
    """`--set key=value` items; the value is read as YAML."""
    settings = []
    for item in items:
        key, equals, text = item.partition("=")
        if not equals or not key.strip():
            raise UserError(f"{item!r} is not key=value", where="--set", remedy="for example --set train.lr=0.01")
        settings.append(Setting(tuple(key.strip().split(".")), read_value(text), f"--set: {key.strip()}"))
    return settings


def resolve(config_type: type[T], base: Mapping[str, Any], settings: Iterable[Setting]) -> T:
    """The config that a base tree becomes under settings; later ones win. Faults name the setting that caused them."""
    ordered = list(settings)
    try:
        return from_tree(config_type, override(base, ordered))
    except ConfigError as error:
        raise _blame(error, ordered) from error


def override(base: Mapping[str, Any], settings: Iterable[Setting]) -> dict[str, Any]:
    """A copy of a tree with settings applied in order."""
    tree = deepcopy(dict(base))
    for setting in settings:
        _set(tree, setting)
    return tree


def _set(tree: dict[str, Any], setting: Setting) -> None:
    *parents, last = setting.path
    node: Any = tree
    for key in parents:
        node = _child(node, key)
    if isinstance(node, list):
        node[_index(node, last)] = deepcopy(setting.value)
        return
    if last == "kind" and node.get("kind") != setting.value:
        node.clear()  # another kind has other settings
    node[last] = deepcopy(setting.value)


def _child(node: Any, key: str) -> Any:
    """The container below a node; a part written as its kind alone opens up, what is missing begins empty."""
    if isinstance(node, list):
        return node[_index(node, key)]
    child = node.get(key)
    if isinstance(child, str):
        child = {"kind": child}
    node[key] = child if isinstance(child, (dict, list)) else {}
    return node[key]


def _index(items: list[Any], key: str) -> int:
    if not key.isdigit() or int(key) >= len(items):
        raise ConfigError((key,), f"{key!r} is no index of a list of {len(items)}")
    return int(key)


def _leaves(document: Document, at: KeyPath, path: KeyPath, content: Any) -> Iterable[Setting]:
    if not isinstance(content, dict):
        yield Setting(path, content, document.where(at))
        return
    for key in sorted(content, key=lambda name: name.rpartition(".")[2] != "kind"):
        yield from _leaves(document, (*at, key), (*path, *key.split(".")), content[key])


def _blame(error: ConfigError, settings: list[Setting]) -> UserError:
    """The fault with the place of the last setting that lies on the way to it."""
    on_the_way = [s for s in settings if s.path == error.path[: len(s.path)] or error.path == s.path[: len(error.path)]]
    if not on_the_way:
        return error
    where = on_the_way[-1].where
    dotted = ".".join(error.path)
    return UserError(
        error.what if where.endswith(dotted) else f"{dotted}: {error.what}", where=where, remedy=error.remedy
    )
