"""Named variants: each public function of a file here, or behind the entry points `locbench.variants`, is one.

A variant takes no arguments and returns a whole config; the first line of its docstring describes it. A derived
variant calls its base and replaces what differs.
"""

import difflib
import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from inspect import getmembers, isfunction

from detectors.families import DetectorConfig

ENTRY_POINTS = "locbench.variants"

Variant = Callable[[], DetectorConfig]


def names() -> list[str]:
    return sorted(_variants())


def config(name: str) -> DetectorConfig:
    return _variant(name)()


def description(name: str) -> str:
    return (_variant(name).__doc__ or "").strip().partition("\n")[0]


def _variant(name: str) -> Variant:
    if name in _variants():
        return _variants()[name]
    near = difflib.get_close_matches(name, names(), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names())}"
    raise ValueError(f"variant: {name!r} is not known; {hint}")


@cache
def _variants() -> dict[str, Variant]:
    """Those of other packages after ours; a name that is taken twice is an error."""
    found = dict(_ours())
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name in found:
            raise ValueError(f"variant: {entry.value} adds {entry.name!r}, a name that is taken; give it another one")
        found[entry.name] = entry.load()
    return found


def _ours() -> list[tuple[str, Variant]]:
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return [
        (name, function)
        for module in modules
        for name, function in getmembers(module, isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]
