"""A module with one plausible mistake put into its source."""

import importlib
import inspect
from types import ModuleType


def wrong(name: str, right: str, mistake: str) -> ModuleType:
    source = inspect.getsource(importlib.import_module(name))
    assert right in source, f"{name} no longer says {right!r}"
    module = ModuleType(name)
    exec(compile(source.replace(right, mistake), name, "exec"), module.__dict__)
    return module
