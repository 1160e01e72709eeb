"""What a config is, and how a part is found: one file, its name is the part's kind.

Every part owns a frozen, keyword-only dataclass called `Config` that derives from the config type of its role
(`detectors.parts.<role>`), and whose `build()` makes the part. Nothing registers anything: the kinds of a role are the
modules of its folder, and those that other packages offer through the entry point group `locbench.parts`.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Interval

Count = Annotated[int, Ge(1)]
NonNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Unit = Annotated[float, Interval(ge=0, le=1)]

ENTRY_POINTS = "locbench.parts"


@dataclass(frozen=True, kw_only=True)
class PartConfig:
    """The base of all configs. A *role* is a direct user of it, a *kind* is a `Config` that derives from a role."""

    after_training: ClassVar[tuple[str, ...]] = ()
    """Fields that only act on what trained weights say: rows that differ in no other share a training."""

    def build(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{type(self).__qualname__} names a role; its kinds can be built")

    @property
    def kind(self) -> str:
        return kind_of(type(self))


def kind_of(config_type: type[PartConfig]) -> str:
    """A part's kind is the name of the file that holds its config."""
    return config_type.__module__.rpartition(".")[2]


def role_of(config_type: Any) -> Any:
    """The role that a config type belongs to: the last of its bases below `PartConfig`."""
    mro = config_type.__mro__
    return mro[mro.index(PartConfig) - 1]


@cache
def kinds(role: Any) -> dict[str, Any]:
    """Every kind of a role by name, those of other packages after ours. A name that is taken twice is an error."""
    found: dict[str, Any] = {}
    for kind, module_name in _modules(role.__module__):
        config_type = getattr(importlib.import_module(module_name), "Config", None)
        if not (isinstance(config_type, type) and issubclass(config_type, role)):
            continue
        if kind in found:
            other = found[kind].__module__
            raise ValueError(
                f"two parts of the role {role_name(role)!r} are called {kind!r}: {other} and {module_name}"
            )
        found[kind] = config_type
    return found


def role_name(role: type[PartConfig]) -> str:
    """What people read: `rank` for RankConfig, `data` for DataConfig."""
    return role.__name__.removesuffix("Config").lower()


def _modules(package_name: str) -> Iterator[tuple[str, str]]:
    package = importlib.import_module(package_name)
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda found: found.name):
        yield module.name, f"{package_name}.{module.name}"
    role = package_name.rpartition(".")[2]
    for entry in _entries():
        if entry.name.split(".")[0] == role:
            yield entry.value.rpartition(".")[2], entry.value


@cache
def _entries() -> EntryPoints:
    """Asked once: the metadata of all packages are read for it."""
    return entry_points(group=ENTRY_POINTS)
