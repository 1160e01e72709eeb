"""A JSON schema from config dataclasses, so that editors complete and check study files."""

import dataclasses
from typing import Any, get_args, get_origin

from pydantic import TypeAdapter

from bench.config.describe import first_line
from bench.config.tree import field_hints, fitting_kinds, nested_config
from detectors.config import PartConfig, kind_of, role_name, role_of

Schema = dict[str, Any]


def schema_of(config_type: type, *, dotted: bool = True) -> Schema:
    """A self-contained schema; `dotted` allows keys such as `quality.kind` beside nested mappings."""
    definitions: dict[str, Schema] = {}
    root = _reference(config_type, definitions, dotted)
    return {**root, "$defs": definitions}


def _reference(config_type: Any, definitions: dict[str, Schema], dotted: bool) -> Schema:
    name = _name(config_type)
    if name not in definitions:
        definitions[name] = {}  # stands in while a part that holds itself is being described
        is_role = issubclass(config_type, PartConfig) and config_type not in fitting_kinds(config_type).values()
        definitions[name] = (
            _role(config_type, definitions, dotted) if is_role else _object(config_type, definitions, dotted)
        )
    return {"$ref": f"#/$defs/{name}"}


def _role(role: Any, definitions: dict[str, Schema], dotted: bool) -> Schema:
    fitting = fitting_kinds(role)
    options = [_reference(config_type, definitions, dotted) for config_type in fitting.values()]
    return {"description": first_line(role), "anyOf": [{"enum": list(fitting)}, *options]}


def _object(config_type: Any, definitions: dict[str, Schema], dotted: bool) -> Schema:
    hints = field_hints(config_type)
    properties = {name: _value(hint, definitions, dotted) for name, hint in hints.items()}
    if issubclass(config_type, PartConfig):
        properties["kind"] = {"const": config_type.__module__.rpartition(".")[2]}
    schema: Schema = {
        "type": "object",
        "description": first_line(config_type),
        "properties": properties,
        "additionalProperties": False,
    }
    if dotted:
        schema["patternProperties"] = {r"^[A-Za-z_]\w*(\.\w+)+$": {}}
    else:
        schema["required"] = [f.name for f in dataclasses.fields(config_type) if _required(f)]
    return schema


def _value(hint: Any, definitions: dict[str, Schema], dotted: bool) -> Schema:
    config_type = nested_config(hint)
    if config_type is None:
        return TypeAdapter(hint).json_schema()
    inner = _reference(config_type, definitions, dotted)
    options = [option for option in get_args(hint) if option is not type(None)]
    bare = options[0] if type(None) in get_args(hint) and len(options) == 1 else hint
    if get_origin(bare) is tuple:
        inner = {"type": "array", "items": inner}
    elif get_origin(bare) is dict:
        inner = {"type": "object", "additionalProperties": inner}
    return {"anyOf": [inner, {"type": "null"}]} if type(None) in get_args(hint) else inner


def _required(f: "dataclasses.Field[Any]") -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


def _name(config_type: Any) -> str:
    if not issubclass(config_type, PartConfig):
        return str(config_type.__name__)
    own_name = role_name(config_type)
    return own_name if own_name else f"{role_name(role_of(config_type))}.{kind_of(config_type)}"
