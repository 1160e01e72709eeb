"""locbench: which way of knowing how well a box fits makes a detector better, and by how much?

`bench.run`, `bench.evaluate`, `bench.rescore` and `bench.leaderboard` are the command line for notebooks.
"""

from typing import Any

__all__ = ["evaluate", "leaderboard", "rescore", "run"]


def __getattr__(name: str) -> Any:
    """Loads the API on first use, so that `import bench` costs nothing."""
    if name in __all__:
        from bench import api

        return getattr(api, name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
