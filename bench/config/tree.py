"""Configs as plain trees of dicts and back: every value is checked against the type of its dataclass field."""

import dataclasses
import json
import types
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from bench.config.suggest import remedy
from bench.errors import UserError
from detectors.config import PartConfig, kind_of, kinds, role_name, role_of

T = TypeVar("T")
Path = tuple[str, ...]


class ConfigError(UserError):
    """A value that does not fit its place in a config; whoever knows the file adds it."""

    def __init__(self, path: Path, what: str, remedy: str = "") -> None:
        super().__init__(what, where=".".join(path), remedy=remedy)
        self.path, self.what, self.remedy = path, what, remedy


def to_tree(value: Any) -> Any:
    """A config as dicts, lists and scalars, ready for YAML or JSON; parts carry their `kind`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        tree = {f.name: to_tree(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"kind": value.kind, **tree} if isinstance(value, PartConfig) else tree
    if isinstance(value, Mapping):
        return {str(key): to_tree(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_tree(item) for item in value]
    return value


def from_tree(config_type: type[T], tree: Any, path: Path = ()) -> T:
    """Builds a config from its tree; raises ConfigError with the path of the first value that is wrong."""
    if isinstance(tree, str) and _is_part(config_type):
        tree = {"kind": tree}
    if not isinstance(tree, Mapping):
        raise ConfigError(path, f"should be a mapping of settings, not {tree!r}")
    concrete: Any = _concrete_type(config_type, tree, path)
    hints = field_hints(concrete)
    given = {key: value for key, value in tree.items() if key != "kind" or "kind" in hints}
    for key in given:
        if key not in hints:
            raise ConfigError((*path, key), f"{_title(concrete)} has no setting {key!r}", remedy(key, hints))
    defaults = {f.name: f for f in dataclasses.fields(concrete)}
    values = {key: check(hints[key], _completed(value, defaults[key]), (*path, key)) for key, value in given.items()}
    missing = [f.name for f in dataclasses.fields(concrete) if f.name not in values and _required(f)]
    if missing:
        raise ConfigError(path, f"{_title(concrete)} needs {', '.join(map(repr, missing))}", "add it")
    try:
        built: T = concrete(**values)
        return built
    except ValueError as error:
        raise ConfigError(path, str(error)) from error


def check(hint: Any, value: Any, path: Path) -> Any:
    """A value as its type wants it; nested configs are built, the rest is pydantic's strict check."""
    config_type = nested_config(hint)
    if config_type is None:
        return _check_plain(hint, value, path)
    origin = get_origin(_bare(hint))
    if value is None and _allows_none(hint):
        return None
    if origin is tuple and isinstance(value, list):
        return tuple(from_tree(config_type, item, (*path, str(i))) for i, item in enumerate(value))
    if origin is dict and isinstance(value, Mapping):
        return {key: from_tree(config_type, item, (*path, str(key))) for key, item in value.items()}
    return from_tree(config_type, value, path)


@cache
def field_hints(config_type: Any) -> dict[str, Any]:
    """The types of a config's fields, annotations kept."""
    hints = get_type_hints(config_type, include_extras=True)
    return {f.name: hints[f.name] for f in dataclasses.fields(config_type)}


def nested_config(hint: Any) -> type | None:
    """The dataclass that a type holds: itself, beside None, or as the items of a tuple or a dict."""
    bare = _bare(hint)
    if isinstance(bare, type) and dataclasses.is_dataclass(bare):
        return bare
    inner = [found for found in map(nested_config, get_args(bare)) if found is not None]
    return inner[0] if inner else None


def _completed(value: Any, f: "dataclasses.Field[Any]") -> Any:
    """Settings for a part that leave out its kind mean the part that stands there by default."""
    if not isinstance(value, Mapping) or "kind" in value or f.default_factory is dataclasses.MISSING:
        return value
    default = f.default_factory()
    return _merged(to_tree(default), value) if isinstance(default, PartConfig) else value


def _merged(below: Any, above: Any) -> Any:
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)) or above.get(
        "kind", below.get("kind")
    ) != below.get("kind"):
        return above
    return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}


def _concrete_type(config_type: type[T], tree: Mapping[str, Any], path: Path) -> type[T]:
    if not _is_part(config_type):
        return config_type
    role: Any = role_of(config_type)
    kind, known = tree.get("kind"), fitting_kinds(config_type)
    if kind is None and config_type in known.values():
        return config_type
    if kind is None:
        raise ConfigError(path, f"which kind of {role_name(role)}?", remedy("", known))
    if kind not in known:
        what = "does not fit here" if kind in kinds(role) else f"is no kind of {role_name(role)}"
        raise ConfigError((*path, "kind"), f"{kind!r} {what}", remedy(kind, known))
    return known[kind]


def fitting_kinds(config_type: Any) -> dict[str, Any]:
    """The kinds of a role that a place takes: all of them, or those of a narrower type."""
    return {kind: found for kind, found in kinds(role_of(config_type)).items() if issubclass(found, config_type)}


def _check_plain(hint: Any, value: Any, path: Path) -> Any:
    try:
        # The JSON mode is the one strict mode that takes a list for a tuple.
        return _adapter(hint).validate_json(json.dumps(value), strict=True)
    except TypeError:
        raise ConfigError(path, f"cannot be {value!r}") from None
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Input ").removeprefix("Value error, ").replace("an object", "a mapping")
        place = (*path, *map(str, first["loc"]))
        raise ConfigError(place, f"{message}, not {_short(first['input'])}", _literal_remedy(hint, value)) from None


def _literal_remedy(hint: Any, value: Any) -> str:
    options = [option for option in get_args(_bare(hint)) if isinstance(option, str)]
    return remedy(value, options) if options and isinstance(value, str) else ""


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint)


def _bare(hint: Any) -> Any:
    """A type without its annotations and without `| None`."""
    if get_origin(hint) is Annotated:
        return _bare(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        rest = [option for option in get_args(hint) if option is not type(None)]
        return _bare(rest[0]) if len(rest) == 1 else hint
    return hint


def _allows_none(hint: Any) -> bool:
    return type(None) in get_args(hint)


def _is_part(config_type: type) -> bool:
    return isinstance(config_type, type) and issubclass(config_type, PartConfig)


def _required(f: "dataclasses.Field[Any]") -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


def _title(config_type: type) -> str:
    if _is_part(config_type):
        return f"{role_name(role_of(config_type))} {kind_of(config_type)!r}"
    return config_type.__name__


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
