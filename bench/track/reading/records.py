"""From MLflow's runs back to plain records: those we wrote, the published ones, and those of other tools."""

import json
import math
import sys
from collections.abc import Iterator

from mlflow import MlflowClient
from mlflow.entities import Experiment, Run

from bench.track.names import key_of
from bench.track.reading import artifacts
from bench.track.reading.bulk import Found, all_runs, pages
from bench.track.record import STATUSES, RunRecord, Source, Status, StudyRecord
from bench.track.sending.store import KEY, UPDATED

_STATUS_OF_OTHERS: dict[str, Status] = {"FINISHED": "done", "FAILED": "failed", "KILLED": "stopped"}


def records(client: MlflowClient, study: str, profile: str | None) -> list[RunRecord]:
    """Every row of a study, oldest first. Of one row and seed only the run that was worked on last counts."""
    experiment = client.get_experiment_by_name(study)
    if experiment is None or experiment.lifecycle_stage == "deleted":
        return []
    runs = all_runs(client, experiment.experiment_id)
    found = [_record(run, study) for run in runs if run.tags.get("source") != "study"]
    by_update = sorted(found, key=lambda r: float(r.tags.get(UPDATED, "0")))
    last = {(r.source, r.profile, r.row, r.seed, r.run_id if r.source == "other" else ""): r for r in by_update}
    kept = {record.run_id for record in last.values()}
    wanted = [r for r in found if profile is None or r.source != "measured" or r.profile == profile]
    return [record for record in wanted if record.run_id in kept]


def studies(client: MlflowClient) -> list[StudyRecord]:
    experiments = [found for page in _pages(client) for found in page]
    return [
        _study(client, run)
        for experiment in experiments
        for run in pages(client, experiment.experiment_id, "tags.source = 'study'")
    ]


def _pages(client: MlflowClient) -> Iterator[list[Experiment]]:
    token = None
    while True:
        page = client.search_experiments(page_token=token)
        yield list(page)
        token = page.token
        if not token:
            return


def _record(run: Found, study: str) -> RunRecord:
    tags = {name: text for name, text in run.tags.items() if not name.startswith("mlflow.")}
    ours = KEY in tags
    source: Source = "other" if not ours else "published" if tags.get("source") == "published" else "measured"
    status = tags.get("status", "") if ours else _STATUS_OF_OTHERS.get(run.status, "running")
    return RunRecord(
        study=study,
        row=tags.get("row") or run.name or run.run_id,
        seed=int(tags["seed"]) if tags.get("seed", "").lstrip("-").isdigit() else None,
        profile=tags.get("profile", ""),
        source=source,
        status=_status(status),
        reason=tags.get("reason", ""),
        metrics={name: _number(value) for name, value in run.metrics.items()},
        params=run.params,
        tags=tags,
        started=_seconds(run.started),
        ended=_seconds(run.ended),
        key=tags.get(KEY, ""),
        run_id=run.run_id,
        experiment_id=run.experiment_id,
        artifacts=run.artifacts,
    )


def _status(text: str) -> Status:
    return next((status for status in STATUSES if status == text), "running")


def _study(client: MlflowClient, run: Run) -> StudyRecord:
    tags = run.data.tags
    claims = artifacts.fetch(client, run.info.run_id, run.info.artifact_uri or "", "claims.json")
    return StudyRecord(
        study=tags.get("study", ""),
        profile=tags.get("profile", ""),
        description=tags.get("mlflow.note.content", ""),
        params={name: tags.get(name, text) for name, text in run.data.params.items()},
        claims=tuple(json.loads(claims.read_text())["claims"]) if claims else (),
        started=_seconds(run.info.start_time),
        key=tags.get(KEY, key_of(run.info.run_id)),
        run_id=run.info.run_id,
        experiment_id=run.info.experiment_id,
    )


def _number(value: float) -> float:
    """Databases keep an infinite metric as the largest double."""
    return math.copysign(math.inf, value) if abs(value) == sys.float_info.max else value


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
