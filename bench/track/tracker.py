"""The recorder: what the driver and the workers of a study say, and what the leaderboard reads back.

Everything said is first a line in a journal on disk, then sent (see `journal` and `delivery`). A server that is away
costs nothing but a line on stderr; what waits is delivered, in order, when it is back, or by the next process.
"""

import atexit
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from bench.errors import UserError
from bench.track.machine.samples import Point
from bench.track.names import key_of
from bench.track.reaching.address import database_uri, is_server, with_driver, without_password
from bench.track.reaching.connect import Away, connect, wants_login, why
from bench.track.reading import artifacts
from bench.track.reading import records as reading
from bench.track.record import STATUSES, DataSet, Published, RunRecord, Status, StudyRecord
from bench.track.sending.delivery import Delivery
from bench.track.sending.store import Store

T = TypeVar("T")


class ServerAway(UserError):
    """Nothing can be read now; what was said waits in the journal."""


class Tracker:
    """Records the runs of studies under `root`; `uri` is a server or database, by default `<root>/mlflow.db`."""

    def __init__(self, uri: str | None, root: Path) -> None:
        self.root = root.resolve()
        self.uri = with_driver(uri) if uri else database_uri(self.root)
        self._client = connect(self.uri, self.root)
        store = Store(self._client, None if is_server(self.uri) else self.root / "mlartifacts")
        self._delivery = Delivery(store, self.root / "journal", without_password(self.uri))
        atexit.register(self.close)

    # ---- saying

    def start_study(self, name: str, profile: str, description: str, params: Mapping[str, Any]) -> str:
        """Opens (or reopens) the study's run, the parent of its rows. `baseline` and `metric` are params of note."""
        key = key_of("study", name, profile)
        self._say("study", key, study=name, profile=profile, description=description, params=_texts(params))
        self._delivery.send()
        return key

    def start_row(
        self,
        study: str,
        row: str,
        seed: int | None,
        params: Mapping[str, Any],
        tags: Mapping[str, Any],
        *,
        profile: str = "",
        digest: str = "",
        about: str = "",
        data: Sequence[DataSet] = (),
    ) -> str:
        """Opens the run of a row, or the same run again: (study, profile, row, seed, digest) are its identity.

        `about` is the description that MLflow's pages show, in Markdown.
        """
        key = key_of("row", study, profile, row, seed, digest)
        parent = key_of("study", study, profile)
        facts = _texts(tags) | ({"digest": digest} if digest else {})
        identity = {"parent": parent, "study": study, "profile": profile, "row": row, "seed": seed}
        inputs = [asdict(one) for one in data]
        self._say("row", key, **identity, params=_texts(params), tags=facts, about=about, data=inputs)
        self._delivery.send()
        return key

    def log(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """Notes metrics of one step; they are sent together with others every few seconds."""
        self.log_points(run_id, [(time.time(), step, dict(metrics))])

    def log_points(self, run_id: str, points: Iterable[Point]) -> None:
        """Notes metrics of several steps, each with its time. What a run has of a step stays as it is."""
        told = [[at, step, _numbers(metrics)] for at, step, metrics in points]
        if told:
            self._say("log", run_id, points=told)

    def tag(self, run_id: str, tags: Mapping[str, Any]) -> None:
        """Adds or changes facts about a run."""
        self._say("tag", run_id, tags=_texts(tags))

    def artifact(self, run_id: str, path: Path, folder: str | None = None, *, steady: bool = False) -> None:
        """Keeps a file, or a folder of files, with a run. It must stay where it is until it was delivered.

        What is `steady` is never written again: it is sent once, and a record on this machine needs no second copy.
        """
        self._say("artifact", run_id, path=str(path.resolve()), folder=folder, steady=steady)

    def text(self, run_id: str, name: str, text: str) -> None:
        """Keeps a text with a run, as a file of that name."""
        self._say("text", run_id, name=name, text=text)

    def model(self, run_id: str, name: str, weights: Path | None = None) -> None:
        """Makes the run's detector a logged model; call it before `finish`, whose metrics the model then shows too."""
        self._say("model", run_id, name=name, path=str(weights.resolve()) if weights else None)

    def judge(self, study: str, profile: str, claims: Sequence[Mapping[str, Any]]) -> None:
        """Keeps the verdicts on a study's claims with the study's run."""
        self._say("claims", key_of("study", study, profile), study=study, claims=[dict(claim) for claim in claims])
        self._delivery.send()

    def finish(self, run_id: str, status: Status, reason: str = "", metrics: Mapping[str, float] | None = None) -> None:
        """Closes a run. The metrics given here are the ones that the leaderboard shows."""
        if status not in STATUSES or status == "running":
            raise ValueError(f"status={status!r}: use one of {', '.join(STATUSES[1:])}")
        self._say("finish", run_id, status=status, reason=reason, metrics=_numbers(metrics or {}))
        self._delivery.send()

    def publish(self, study: str, rows: Iterable[Published]) -> None:
        """Enters what papers print about a study's rows: once, and again only what changed."""
        told = [{"row": row.row, "metrics": _numbers(row.metrics), "tags": row.tags} for row in rows]
        self._say("publish", key_of("published", study), study=study, rows=told)
        self._delivery.send()

    def deliver(self) -> bool:
        """Sends all that waits; False if the server is away."""
        return self._delivery.send(again=True)

    def close(self) -> None:
        self._delivery.close()
        atexit.unregister(self.close)

    def __enter__(self) -> "Tracker":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # ---- reading

    def records(self, study: str, profile: str | None = None) -> list[RunRecord]:
        """The newest run of every row and seed, the published rows, and the runs that other tools put beside them."""
        return self._read(lambda: reading.records(self._client, study, profile))

    def studies(self) -> list[StudyRecord]:
        return self._read(lambda: reading.studies(self._client))

    def study(self, name: str, profile: str) -> StudyRecord | None:
        return next((found for found in self.studies() if (found.study, found.profile) == (name, profile)), None)

    def fetch(self, record: RunRecord, name: str) -> Path | None:
        """An artifact of a run as a local file or folder; None if the run has none of that name."""
        return artifacts.fetch(self._client, record.run_id, record.artifacts, name)

    def url(self, record: RunRecord | StudyRecord) -> str:
        """Where the server's own page shows a run; empty for a database without a server."""
        base = self.uri.rstrip("/") if is_server(self.uri) else ""
        return f"{base}/#/experiments/{record.experiment_id}/runs/{record.run_id}" if base else ""

    def _say(self, op: str, key: str, **facts: Any) -> None:
        self._delivery.say({"op": op, "key": key, "time": time.time(), **facts})

    def _read(self, question: Callable[[], T]) -> T:
        self.deliver()
        try:
            return question()
        except Exception as error:
            if wants_login(error):
                remedy = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to those of an account there"
                what = "the tracking server wants a name and its password"
                raise UserError(what, where=without_password(self.uri), remedy=remedy) from error
            if not isinstance(why(error, self._client), Away):
                raise
            remedy = "start it (`locbench ui`), or leave out --tracking to read the local records"
            raise ServerAway(
                "the tracking server does not answer", where=without_password(self.uri), remedy=remedy
            ) from error


def _texts(facts: Mapping[str, Any]) -> dict[str, str]:
    """Lists and mappings as JSON, so that they can be read back."""
    return {
        name: json.dumps(value) if isinstance(value, list | tuple | dict) else str(value)
        for name, value in facts.items()
    }


def _numbers(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in metrics.items()}
