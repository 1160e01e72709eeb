"""The command that a job runs on the head: `locbench run` with the user's options, and nothing secret among them."""

import shlex
from collections.abc import Sequence
from urllib.parse import urlsplit

from bench.cluster.withheld import secret_in
from bench.errors import UserError

STORAGE = 'LOCBENCH_STORAGE="${LOCBENCH_STORAGE:-$HOME/locbench-runs}"'
TRACKING = 'LOCBENCH_TRACKING="${LOCBENCH_TRACKING:-$MLFLOW_TRACKING_URI}"'
"""Where the user says nothing, the head's own environment does. The shell reads it there: its values stay unseen."""


def entrypoint(study: str, options: Sequence[str], storage: str | None, tracking: str | None) -> str:
    """`python -m` finds the code that came along before one that is installed."""
    words = ["python", "-m", "bench", "run", study, "--address", "auto", *options]
    words += [] if storage is None else ["--storage", _storage(storage)]
    words += [] if tracking is None else ["--tracking", _tracking(tracking)]
    for word in words:
        found = secret_in(word.encode())
        if found:
            remedy = "everyone on the cluster can read a command: set it in the environment of the cluster"
            raise UserError(f"holds the value of {found}", where="submit", remedy=remedy)
    defaults = [line for line, given in ((STORAGE, storage), (TRACKING, tracking)) if given is None]
    return " ".join([*defaults, *map(shlex.quote, words)])


def _storage(path: str) -> str:
    if not path.startswith("/"):
        remedy = "give the absolute path of a folder that every node of the cluster reaches"
        raise UserError("a job cannot keep its work there", where=f"--storage {path}", remedy=remedy)
    return path


def _tracking(uri: str) -> str:
    if urlsplit(uri).password:
        remedy = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment of the cluster"
        raise UserError("holds a password, which lists of processes show", where="--tracking", remedy=remedy)
    return uri
