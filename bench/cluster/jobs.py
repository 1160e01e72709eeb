"""Studies as jobs of a cluster: started, listed, and what one came to."""

import secrets
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ray.job_submission import JobDetails, JobStatus

from bench.cluster.head import Head
from bench.cluster.pack import Pack
from bench.errors import UserError

STUDY = "locbench_study"
WORDS = {
    JobStatus.PENDING: "waiting",
    JobStatus.RUNNING: "running",
    JobStatus.SUCCEEDED: "done",
    JobStatus.FAILED: "failed",
    JobStatus.STOPPED: "stopped",
}
ENVIRONMENT = {"RAY_JOB_STOP_WAIT_TIME_S": "60"}
"""Ray gives a job that is told to stop 3 seconds, too few to close its records. No secrets: Ray logs all of these."""


@dataclass(frozen=True)
class Job:
    """A line of `locbench jobs`."""

    id: str
    study: str
    state: str
    since: datetime
    seconds: float


def submit(head: Head, pack: Pack, command: str, study: str, profile: str) -> str:
    """Starts a study on the cluster and gives the job's id."""
    _check_not_running(head, command)
    job = f"{study.replace('/', '-')}-{datetime.now():%m%d-%H%M%S}-{secrets.token_hex(2)}"
    title = study if profile == "full" else f"{study} ({profile})"
    with tempfile.TemporaryDirectory() as folder:
        environment: dict[str, object] = {"env_vars": ENVIRONMENT}
        if pack.files:
            archive = Path(folder) / "pack.zip"
            pack.write(archive)
            environment["working_dir"] = str(archive)
        return head.submit(entrypoint=command, submission_id=job, runtime_env=environment, metadata={STUDY: title})


def listed(head: Head) -> tuple[list[Job], int]:
    """Our jobs, oldest first, and how many others the cluster knows."""
    found = head.jobs()
    ours = [_line(job) for job in found if STUDY in (job.metadata or {})]
    return ours, len(found) - len(ours)


def exit_code(job: JobDetails) -> int:
    """That of the job's own process; 130 where it was stopped, 1 where the cluster lost it."""
    if job.status == JobStatus.SUCCEEDED:
        return 0
    if job.status == JobStatus.STOPPED:
        return 130
    code = job.driver_exit_code
    return 1 if code is None else code if code >= 0 else 128 - code


def ending(job: JobDetails) -> str:
    """What a job came to, in a line."""
    name = job.submission_id
    if job.status == JobStatus.SUCCEEDED:
        return f"{name} is done"
    if job.status == JobStatus.STOPPED:
        return f"{name} was stopped; finished rows are kept, and the same submission goes on from there"
    if job.driver_exit_code is not None:
        return f"{name} failed with exit code {job.driver_exit_code}; its last lines say why"
    lines = [line.strip() for line in (job.message or "").splitlines() if line.strip()]
    return f"{name} was lost by the cluster: {(lines or ['no reason is known'])[-1][:300]}; the same submission goes on"


def _check_not_running(head: Head, command: str) -> None:
    """Two at once would write the same files."""
    for job in head.jobs():
        if job.entrypoint == command and not job.status.is_terminal():
            remedy = f"follow it with: locbench logs {job.submission_id} --follow --address {head.address}"
            raise UserError(f"{job.submission_id} does exactly this already", where="submit", remedy=remedy)


def _line(job: JobDetails) -> Job:
    started = (job.start_time or 0) / 1000
    ended = job.end_time / 1000 if job.end_time else time.time()
    return Job(
        id=str(job.submission_id),
        study=(job.metadata or {})[STUDY],
        state=WORDS[job.status],
        since=datetime.fromtimestamp(started),
        seconds=max(0.0, ended - started),
    )
