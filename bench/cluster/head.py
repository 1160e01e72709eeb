"""The head of a Ray cluster through its Job API: each way in which it can refuse becomes one line with a remedy."""

import ipaddress
import logging
import os
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobSubmissionClient

from bench.cluster.token import REMEDY, find_token, headers
from bench.config.suggest import remedy
from bench.errors import StepFailed, UserError

TIMEOUT_SECONDS = (10, 120)
"""To connect, and between two bytes of an answer."""
OTHER_ADDRESSES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")


class HeadAway(UserError):
    """Nothing answers at the address; the same request may succeed later."""


class Head:
    """A head that has answered, and let us in."""

    def __init__(self, address: str) -> None:
        self.address = checked(address)
        token = find_token()
        self.readable_token = bool(token) and self.address.startswith("http://") and not _here(self.address)
        for name in ("dashboard_sdk", "job.sdk"):
            logging.getLogger(f"ray.dashboard.modules.{name}").setLevel(logging.ERROR)
        trusted = os.environ.get("REQUESTS_CA_BUNDLE") or True
        try:
            with _no_other_address():
                self._client = _Client(self.address, token, trusted)
        except (RuntimeError, KeyError, TypeError, ValueError, requests.RequestException, OSError) as error:
            raise UserError(
                "something answers there that is not the head of a Ray cluster",
                where=_where(self.address),
                remedy="give the address of its dashboard, usually port 8265",
            ) from error

    def submit(self, **job: Any) -> str:
        """Uploads what the job needs, starts it, and gives its id."""
        with self._plain():
            name: str = self._client.submit_job(**job)
            return name

    def jobs(self) -> list[JobDetails]:
        """All that were submitted, oldest first; drivers that people started otherwise are not among them."""
        with self._plain():
            found = [job for job in self._client.list_jobs() if job.submission_id]
        return sorted(found, key=lambda job: job.start_time or 0)

    def job(self, name: str) -> JobDetails:
        with self._plain(name):
            return self._client.get_job_info(name)

    def log(self, name: str) -> str:
        with self._plain(name):
            text: str = self._client.get_job_logs(name)
            return text

    def tail(self, name: str) -> AsyncGenerator[str, None]:
        """The log from its beginning, as it grows; ends, or breaks, for many reasons besides the end of the job."""
        tail: AsyncGenerator[str, None] = self._client.tail_job_logs(name)
        return tail

    def stop(self, name: str) -> bool:
        """Whether it was still running."""
        with self._plain(name):
            return bool(self._client.stop_job(name))

    def resources(self) -> dict[str, float]:
        """What all nodes that are alive have together: CPU, GPU, and the number of `nodes`."""
        with self._plain():
            answer = self._client._do_request("GET", "/api/v0/nodes")
            found = answer.json()["data"]["result"]["result"] if answer.ok else []
        alive = [node.get("resources_total") or {} for node in found if node.get("state") == "ALIVE"]
        return {"nodes": len(alive)} | {key: sum(node.get(key, 0.0) for node in alive) for key in ("CPU", "GPU")}

    @contextmanager
    def _plain(self, job: str = "") -> Iterator[None]:
        """What the head answers instead of what was asked for, in a line."""
        try:
            yield
        except RuntimeError as error:
            text = str(error)
            if job and "status code 404" in text:
                known = [found.submission_id for found in self.jobs() if found.submission_id]
                raise UserError(
                    f"no job is called {job!r}", where=_where(self.address), remedy=_known(job, known)
                ) from error
            lines = [line.strip() for line in text.splitlines() if line.strip(" .")]
            raise StepFailed(f"{_where(self.address)}: the head could not do it: {lines[-1][:300]}") from error


class _Client(JobSubmissionClient):
    """Ray's own, with a limit to how long it waits, and with plain words for what goes wrong on the way."""

    def __init__(self, address: str, token: str, verify: str | bool) -> None:
        self._ours = headers(token)
        super().__init__(address, verify=verify)

    def _do_request(self, method: str, endpoint: str, **options: Any) -> Any:
        self._headers = self._ours  # Ray would send the token of a cluster that this process started earlier
        where = _where(self._address)
        try:
            return super()._do_request(method, endpoint, timeout=TIMEOUT_SECONDS, **options)
        except AuthenticationError as error:
            if self._ours:
                what = "the token is refused: it is wrong, or the cluster has another one by now"
            else:
                what = "the cluster wants a token"
            raise UserError(what, where=where, remedy=REMEDY) from error
        except requests.exceptions.SSLError as error:
            remedy = "set REQUESTS_CA_BUNDLE to the file of the authority that signed its certificate"
            raise UserError("cannot be trusted, or speaks plain http", where=where, remedy=remedy) from error
        except (requests.ConnectionError, requests.Timeout) as error:
            remedy = "check the address, that the head runs, and that no firewall stands between"
            raise HeadAway("no cluster answers there", where=where, remedy=remedy) from error


def checked(address: str) -> str:
    """An address of the Job API, without a slash at its end."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or port == 0:
        remedy = "jobs go to the dashboard of the head: http://HOST:8265, or https://HOST"
        raise UserError(f"{address!r} is not the address of a Job API", where="--address", remedy=remedy)
    if parts.password or parts.username:
        raise UserError(
            "holds a password, which others can read in lists of processes", where="--address", remedy=REMEDY
        )
    return address.rstrip("/")


@contextmanager
def _no_other_address() -> Iterator[None]:
    """Ray would prefer addresses of the environment to the one that the user gave."""
    hidden = {name: os.environ.pop(name) for name in OTHER_ADDRESSES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _here(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _where(address: str) -> str:
    return f"--address {address}"


def _known(name: str, known: list[str]) -> str:
    if not known:
        return "none was submitted since the head started"
    return remedy(name, known)
