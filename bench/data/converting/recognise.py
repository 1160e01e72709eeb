"""Which format a folder holds, and the config that reads it."""

from pathlib import Path

from bench.data.formats import DataConfig
from bench.errors import UserError
from detectors.config import kinds


def recognise(path: Path | str, format: str | None = None) -> DataConfig:
    """The config for a folder as people have it; `format` overrides what it looks like."""
    folder = Path(path).expanduser()
    known = {kind: config_type for kind, config_type in kinds(DataConfig).items() if hasattr(config_type, "find")}
    if not folder.exists():
        raise UserError("no such file or folder", where=str(folder))
    if format is not None and format not in known:
        raise UserError(f"no format is called {format!r}", remedy=f"there are {', '.join(known)}")
    tried = {format: known[format]} if format else known
    found = {kind: config for kind, config_type in tried.items() if (config := config_type.find(folder)) is not None}
    if not found:
        looks = "; ".join(f"{kind}: {config_type.layout}" for kind, config_type in tried.items())
        raise UserError(
            f"looks like no format that is known ({looks})",
            where=str(folder),
            remedy="point at its root folder, or write a data config",
        )
    if len(found) > 1:
        raise UserError(f"looks like {' and like '.join(found)}", where=str(folder), remedy="choose with --format")
    return next(iter(found.values()))
