"""Ray for the time of one command: a quiet cluster of our own, or one whose address the user gave."""

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.errors import StepFailed, UserError
from bench.train.distributed.temporary import session_folders, temporary_files

OBJECT_STORE_BYTES = 256 * 2**20
"""Weights and predictions travel through files; the object store holds little more than function arguments."""
START_ATTEMPTS = 2
"""Ray gives its processes 30 seconds, which a machine busy with other things may not have."""
DEFAULTS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_AUTO_CONNECT": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
}
"""The interval is what each report of a training waits for. A thread that still asks Ray for something after the end
would start a cluster, if it could connect by itself."""


@dataclass(frozen=True)
class Session:
    """A connection to a cluster."""

    address: str
    own: bool
    """Started here, and stopped at the end."""
    cpus: float
    gpus: float
    dashboard: str = ""


@contextmanager
def ray_session(
    address: str | None = None, *, num_cpus: int | None = None, num_gpus: int | None = None, dashboard: bool = True
) -> Iterator[Session]:
    """Without an address never touches a cluster that someone else runs, whatever the environment says of one.

    The dashboard is what Ray asks for the state of actors: without it, a trial that Tune stops keeps its resources.
    """
    set_defaults()
    import ray

    # Ray prints a paragraph to the standard output of the driver for each lost worker, whatever its log level.
    ray._private.worker.print_to_stdstream = lambda *lines, **options: None
    if ray.is_initialized():
        yield _session(own=False)
    elif address is not None:
        with _joined(address) as session:
            yield session
    else:
        with _started(num_cpus, num_gpus, dashboard) as session:
            yield session


def set_defaults() -> None:
    """Ray's settings where the user has none; processes on other machines of a cluster have to ask for them, too."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


@contextmanager
def _joined(address: str) -> Iterator[Session]:
    import ray

    where = f"--address {address}"
    if not _answers(address):
        raise UserError("no cluster answers there", where=where, remedy="check the address, and that the cluster runs")
    try:
        with _own_handler_of_sigterm():
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        remedy = "where the cluster wants a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"
        raise UserError(f"cannot join the cluster: {error}", where=where, remedy=remedy) from error
    try:
        yield _session(own=False)
    finally:
        _shut_down()


@contextmanager
def _started(num_cpus: int | None, num_gpus: int | None, dashboard: bool) -> Iterator[Session]:
    from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

    # A token of our own: Ray would else leave one in the home folder, where it changes how other clusters start. What
    # Ray has read before, perhaps for another cluster, it would use here, too.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    AuthenticationTokenLoader.instance().reset_cache()
    with session_folders() as (folder, files):
        try:
            with temporary_files(files):
                _start(num_cpus=num_cpus, num_gpus=num_gpus, include_dashboard=dashboard, _temp_dir=str(folder))
            yield _session(own=True)
        finally:
            _shut_down()


def _start(**options: Any) -> None:
    import ray

    for left in reversed(range(START_ATTEMPTS)):
        try:
            with _own_handler_of_sigterm():
                ray.init(
                    address="local",
                    object_store_memory=OBJECT_STORE_BYTES,
                    logging_level=logging.ERROR,
                    log_to_driver=False,
                    **options,
                )
            return
        except Exception as error:  # Ray raises the bare class when its own processes are late.
            ray.shutdown()
            if not left:
                raise StepFailed(
                    f"Ray cannot start: {_reason(error)}; free memory and processors, then try again"
                ) from error


def _reason(error: Exception) -> str:
    """Where Ray quotes the log of a process that did not start, what went wrong stands at its end."""
    return str(error).strip().rpartition("\n")[2]


def _shut_down() -> None:
    """Threads that still ask Ray for something at the end of a run that was stopped are of no interest to anyone."""
    import ray

    logging.getLogger("ray").setLevel(logging.CRITICAL)
    ray.shutdown()


@contextmanager
def _own_handler_of_sigterm() -> Iterator[None]:
    """Ray puts its own in place, which ends the process before anything finished can be said or kept."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


def _answers(address: str) -> bool:
    """Whether something listens there; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return address == "auto"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=5):
            return True
    except OSError:
        return False


def _session(own: bool) -> Session:
    import ray

    resources = ray.cluster_resources()
    context = ray.get_runtime_context()
    return Session(
        address=context.gcs_address,
        own=own,
        cpus=resources.get("CPU", 0.0),
        gpus=resources.get("GPU", 0.0),
        dashboard=_dashboard(),
    )


def _dashboard() -> str:
    import ray

    url: str = ray._private.worker.get_dashboard_url() or ""
    return f"http://{url}" if url else ""
