"""Reaching MLflow: the client of a server, or of the sqlite file beside the runs; and telling "away" from "refused"."""

import fcntl
import logging
import os
from pathlib import Path

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException

from bench.errors import UserError
from bench.track.reaching.address import is_server, without_password

_PASSING = {
    "INTERNAL_ERROR",
    "TEMPORARILY_UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "REQUEST_LIMIT_EXCEEDED",
}


class Away(Exception):
    """The server did not answer; the same request may succeed later."""


class Refused(Exception):
    """The server answered, and will answer the same to the same request."""


def connect(uri: str, root: Path) -> MlflowClient:
    """A client that has been seen to work. A new database is made by one process at a time."""
    logging.getLogger("alembic").setLevel(logging.ERROR)
    # MLflow prints the traceback of whatever a database says, a full disk too, besides raising it.
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)
    if is_server(uri):
        return MlflowClient(tracking_uri=uri)
    root.mkdir(parents=True, exist_ok=True)
    with (root / "mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _open_database(uri)


def _open_database(uri: str) -> MlflowClient:
    shown = without_password(uri)
    try:
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
        return client
    except Exception as error:
        text = " ".join(str(error).split())
        if "out-of-date database schema" in text:
            remedy = f"keep a copy, then run: mlflow db upgrade {shown} (if it is newer than this MLflow, upgrade that)"
            raise UserError("was made by another version of MLflow", where=shown, remedy=remedy) from error
        if isinstance(error, ModuleNotFoundError):
            remedy = "pip install 'locbench[postgres]'" if "psycopg" in text else "install its driver"
            raise UserError(text, where=shown, remedy=remedy) from error
        remedy = "check the address, and that the file is a database of MLflow"
        raise UserError(f"cannot be opened as a tracking database: {text[:200]}", where=shown, remedy=remedy) from error


def alive(client: MlflowClient) -> bool:
    try:
        client.search_experiments(max_results=1)
    except Exception:
        return False
    return True


def why(error: Exception, client: MlflowClient) -> Away | Refused:
    """What a failed request means. A fault of the server is a refusal only if the server is well otherwise."""
    text = " ".join(str(error).split())[:300]
    final = isinstance(error, RestException | MlflowException) and error.error_code not in _PASSING
    return Refused(text) if final or alive(client) else Away(text)


def wants_login(error: Exception) -> bool:
    """Whether a server refused a request for want of a name and password, or of the right ones."""
    return isinstance(error, MlflowException) and "error code 401" in str(error)
