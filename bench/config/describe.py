"""A config tree as text: every setting with its value, type, and what else could stand there."""

import dataclasses
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from bench.config.tree import field_hints, fitting_kinds, nested_config
from detectors.config import PartConfig


@dataclass(frozen=True)
class Line:
    """One setting of a tree; `alternatives` are the other kinds of a part."""

    depth: int
    name: str
    value: str
    type: str
    alternatives: tuple[str, ...] = ()


def describe(config: Any, depth: int = 0) -> Iterator[Line]:
    """All settings of a config, depth first, in the order in which they are declared."""
    config_type: Any = type(config)
    hints = field_hints(config_type)
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        yield from _describe_value(f.name, value, hints[f.name], depth)


def type_name(hint: Any) -> str:
    """A type as a person writes it."""
    if get_origin(hint) is Annotated:
        bounds = [_bound(mark) for mark in get_args(hint)[1:]]
        return " ".join([type_name(get_args(hint)[0]), *filter(None, bounds)])
    if isinstance(hint, type) and not get_args(hint):
        return hint.__name__
    options = get_args(hint)
    if get_origin(hint) is tuple:
        return _tuple_name(options)
    if options and all(isinstance(option, (str, int, bool)) for option in options):
        return " | ".join(map(repr, options))
    if options:
        return " | ".join("none" if option is type(None) else type_name(option) for option in options)
    return str(hint).replace("typing.", "")


def _tuple_name(items: tuple[Any, ...]) -> str:
    if len(items) == 2 and items[1] is Ellipsis:
        return f"list of {type_name(items[0])}"
    names = [type_name(item) for item in items]
    return f"{len(names)} x {names[0]}" if len(set(names)) == 1 else f"[{', '.join(names)}]"


def _describe_value(name: str, value: Any, hint: Any, depth: int) -> Iterator[Line]:
    config_type = nested_config(hint)
    if config_type is None or isinstance(value, dict):
        yield Line(depth, name, _plain(value), type_name(hint))
        return
    items = value if isinstance(value, tuple) else (value,)
    for i, item in enumerate(items):
        label = f"{name}.{i}" if isinstance(value, tuple) else name
        yield Line(depth, label, _plain_part(item), "", _alternatives(config_type))
        if item is not None:
            yield from describe(item, depth + 1)


def _alternatives(config_type: type) -> tuple[str, ...]:
    return tuple(fitting_kinds(config_type)) if issubclass(config_type, PartConfig) else ()


def _plain_part(item: Any) -> str:
    if item is None:
        return "none"
    return item.kind if isinstance(item, PartConfig) else ""


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    return f"[{', '.join(map(_plain, value))}]" if isinstance(value, (tuple, list)) else str(value)


def _bound(mark: Any) -> str:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    return " ".join(
        f"{sign} {getattr(mark, name)}" for name, sign in signs.items() if getattr(mark, name, None) is not None
    )


def first_line(thing: Any) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]
