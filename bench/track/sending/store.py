"""Writes journal entries to MLflow so that writing any of them twice, or after a crash, changes nothing.

Runs are found by the tag `locbench.key`; a metric is written once a step; a parameter once; an older ending never
replaces a newer one.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric, Param, Run, RunTag

from bench.track.names import key_of, legal, legal_model, short
from bench.track.reaching.connect import Refused
from bench.track.reaching.view import TAG, view_state
from bench.track.reading import artifacts
from bench.track.sending.journal import Entry

T = TypeVar("T")
KEY, UPDATED = "locbench.key", "locbench.updated"
ENDINGS = {"done": "FINISHED", "skipped": "FINISHED", "failed": "FAILED", "stopped": "KILLED", "interrupted": "KILLED"}
METRICS_A_BATCH, PARAMS_A_BATCH, TAGS_A_BATCH = 1000, 100, 100
MAX_DATA_NAME, MAX_DIGEST = 250, 36
CONTEXT = "mlflow.data.context"


class Store:
    """One MLflow server or database. `apply` raises `Refused`, or what the client raised."""

    def __init__(self, client: MlflowClient, artifact_root: Path | None) -> None:
        self.client = client
        self._artifact_root = artifact_root
        self._experiments: dict[str, str] = {}
        self._runs: dict[str, str] = {}
        self._steps: dict[tuple[str, str], set[int]] = {}
        self._writers: dict[str, Callable[[Entry], None]] = {
            "study": self._study,
            "row": self._row,
            "log": self._log,
            "tag": self._facts,
            "artifact": self._artifact,
            "text": self._text,
            "model": self._model,
            "claims": self._claims,
            "finish": self._finish,
            "publish": self._publish,
        }

    def apply(self, entry: Entry) -> None:
        self._writers[entry["op"]](entry)

    def experiment(self, study: str) -> str:
        if study not in self._experiments:
            found = self.client.get_experiment_by_name(study)
            if found is None:
                root = self._artifact_root
                location = (root / key_of(study)[:12]).resolve().as_uri() if root else None
                self._experiments[study] = self.client.create_experiment(study, artifact_location=location)
            elif found.lifecycle_stage == "deleted":
                raise Refused(
                    f"the experiment {study!r} was deleted in MLflow; restore it, or give the study another name"
                )
            else:
                self._experiments[study] = found.experiment_id
        return self._experiments[study]

    def find(self, key: str, study: str | None = None) -> Run | None:
        if key in self._runs:
            return self.client.get_run(self._runs[key])
        where = [self.experiment(study)] if study else [e.experiment_id for e in self.client.search_experiments()]
        found = self.client.search_runs(where, f"tags.`{KEY}` = '{key}'", max_results=1, order_by=["start_time"])
        if not found:
            return None
        self._runs[key] = found[0].info.run_id
        return found[0]

    def _started(self, entry: Entry) -> Run:
        run = self.find(entry["key"], entry.get("study"))
        if run is None:
            raise Refused(f"no run with the key {entry['key']} was started, or it was deleted")
        return run

    # ---- starting

    def _study(self, entry: Entry) -> None:
        tags = {"study": entry["study"], "profile": entry["profile"], "source": "study"}
        facts = {name: text for name, text in entry["params"].items() if text == short(text)}
        name = f"{entry['study']} · {entry['profile']}"
        self._start(entry, name, facts | tags | _note(entry["description"]))
        about = {
            TAG: view_state(entry["params"].get("metric", "AP")),
            "mlflow.experimentKind": "custom_model_development",
        }
        for name, text in (about | _note(entry["description"])).items():
            self.client.set_experiment_tag(self.experiment(entry["study"]), name, text)

    def _row(self, entry: Entry) -> None:
        seed = "" if entry["seed"] is None else str(entry["seed"])
        identity = {name: entry[name] for name in ("study", "profile", "row")} | {"seed": seed, "source": "measured"}
        parent = self.find(entry["parent"], entry["study"])
        if parent is not None:
            identity["mlflow.parentRunId"] = parent.info.run_id
        name = f"{entry['row']} · seed {seed}" if seed else entry["row"]
        run = self._start(entry, name, entry["tags"] | identity | _note(entry["about"]))
        if entry["data"] and not run.inputs.dataset_inputs:
            self.client.log_inputs(run.info.run_id, [_data_set(data) for data in entry["data"]])

    def _start(self, entry: Entry, name: str, tags: dict[str, str]) -> Run:
        run = self.find(entry["key"], entry["study"])
        if run is None:
            identity = {KEY: entry["key"], "mlflow.source.name": "locbench"}
            started = int(entry["time"] * 1000)
            run = self.client.create_run(self.experiment(entry["study"]), started, identity, name)
            self._runs[entry["key"]] = run.info.run_id
        self._params(run, entry["params"])
        if _is_news(entry, run):
            self._tag(run, tags | {"status": "running", "reason": "", UPDATED: repr(entry["time"])})
            self.client.update_run(run.info.run_id, status="RUNNING")
        return run

    def _params(self, run: Run, params: dict[str, str]) -> None:
        legal_params = {legal(name): short(value) for name, value in params.items()}
        new = [Param(name, value) for name, value in legal_params.items() if name not in run.data.params]
        for batch in _batches(new, PARAMS_A_BATCH):
            self.client.log_batch(run.info.run_id, params=batch)

    def _facts(self, entry: Entry) -> None:
        self._tag(self._started(entry), entry["tags"])

    def _tag(self, run: Run, tags: dict[str, str]) -> None:
        tags = tags | _git(tags)
        for batch in _batches([RunTag(legal(name), short(value)) for name, value in tags.items()], TAGS_A_BATCH):
            self.client.log_batch(run.info.run_id, tags=batch)

    # ---- measuring

    def _log(self, entry: Entry) -> None:
        """What a resumed training repeats is not written again: the steps that MLflow has are asked for once."""
        run_id = self._runs.get(entry["key"]) or self._started(entry).info.run_id
        new: dict[tuple[str, int], Metric] = {}
        for time, step, metrics in entry["points"]:
            for name, value in metrics.items():
                name = legal(name)
                if step not in self._logged_steps(run_id, name):
                    new.setdefault((name, step), Metric(name, value, int(time * 1000), step))
        self._write(run_id, list(new.values()))
        for name, step in new:
            self._logged_steps(run_id, name).add(step)

    def _logged_steps(self, run_id: str, name: str) -> set[int]:
        if (run_id, name) not in self._steps:
            history = self.client.get_metric_history(run_id, name)
            self._steps[run_id, name] = {point.step for point in history}
        return self._steps[run_id, name]

    def _write(self, run_id: str, metrics: Sequence[Metric]) -> None:
        for batch in _batches(metrics, METRICS_A_BATCH):
            self.client.log_batch(run_id, metrics=batch)

    def _artifact(self, entry: Entry) -> None:
        path = Path(entry["path"])
        if not path.exists():
            raise Refused(f"the artifact {path} is gone")
        artifacts.keep(self.client, self._started(entry), path, entry["folder"] or "", steady=entry["steady"])

    def _text(self, entry: Entry) -> None:
        self.client.log_text(self._started(entry).info.run_id, entry["text"], entry["name"])

    def _model(self, entry: Entry) -> None:
        run = self._started(entry)
        if not _models_of(run):
            where, run_id = run.info.experiment_id, run.info.run_id
            facts = {name: run.data.tags[name] for name in ("study", "profile", "row", "seed") if name in run.data.tags}
            name = legal_model(entry["name"])
            model = self.client.create_logged_model(where, name, run_id, facts, run.data.params, "detector")
            if entry["path"]:
                artifacts.keep_model(self.client, model, Path(entry["path"]))
            self.client.finalize_logged_model(model.model_id, "READY")
            self.client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])

    def _claims(self, entry: Entry) -> None:
        self.client.log_dict(self._started(entry).info.run_id, {"claims": entry["claims"]}, "claims.json")

    # ---- ending

    def _finish(self, entry: Entry) -> None:
        run = self._started(entry)
        if _is_news(entry, run):
            self._final_metrics(run, entry["metrics"], int(entry["time"] * 1000))
            ending = {"status": entry["status"], "reason": entry["reason"], UPDATED: repr(entry["time"])}
            self._tag(run, ending)
            self.client.set_terminated(run.info.run_id, ENDINGS[entry["status"]], int(entry["time"] * 1000))

    def _final_metrics(self, run: Run, metrics: dict[str, float], time: int) -> None:
        """The last word on each metric: written where it differs from what the run shows, at its last step."""
        of_model = _told_to_model(run)
        new = []
        for name, value in metrics.items():
            name = legal(name)
            shown = run.data.metrics.get(name)
            if shown is None:
                new.append(Metric(name, value, time, 0, **of_model))
            elif shown != value and not (value != value and shown != shown):
                step = max(self._logged_steps(run.info.run_id, name), default=0)
                new.append(Metric(name, value, time, step, **of_model))
        self._write(run.info.run_id, new)

    def _publish(self, entry: Entry) -> None:
        """Makes the published runs of a study equal to its file: what is new or changed is added, the rest removed."""
        keys = set()
        for row in entry["rows"]:
            key = key_of(entry["study"], "published", row)
            keys.add(key)
            run = self.find(key, entry["study"])
            if run is None or run.info.status != "FINISHED":
                self._publish_row(entry | {"key": key, "params": {}}, row)
        for run in self.client.search_runs([self.experiment(entry["study"])], "tags.source = 'published'"):
            if run.data.tags.get(KEY) not in keys:
                self.client.delete_run(run.info.run_id)

    def _publish_row(self, entry: Entry, row: Entry) -> None:
        tags = row["tags"] | {"study": entry["study"], "row": row["row"], "source": "published"}
        printed_in = (row["tags"].get(name, "") for name in ("paper", "table", "schedule", "footnote"))
        note = " · ".join(text for text in printed_in if text)
        self._start(entry, f"{row['row']} · published", tags | _note(note))
        self._finish(entry | {"status": "done", "reason": "", "metrics": row["metrics"]})


def _is_news(entry: Entry, run: Run) -> bool:
    return entry["time"] >= float(run.data.tags.get(UPDATED, "0"))


def _models_of(run: Run) -> list[str]:
    return [output.model_id for output in run.outputs.model_outputs] if run.outputs else []


def _told_to_model(run: Run) -> dict[str, str]:
    """What makes a metric one of the run's logged model, too, on the data that it was judged on."""
    models = _models_of(run)
    judged_on = [one.dataset for one in run.inputs.dataset_inputs if InputTag(CONTEXT, "evaluation") in one.tags]
    facts = {"model_id": models[0]} if models else {}
    if models and judged_on:
        facts |= {"dataset_name": judged_on[0].name, "dataset_digest": judged_on[0].digest}
    return facts


def _data_set(data: dict[str, Any]) -> DatasetInput:
    source = json.dumps({"path": data["source"], "fingerprint": data["fingerprint"]})
    found = Dataset(
        data["name"][:MAX_DATA_NAME],
        data["fingerprint"][:MAX_DIGEST],
        "local",
        source,
        profile=json.dumps(data["profile"]),
    )
    return DatasetInput(found, [InputTag(CONTEXT, data["use"])])


def _git(tags: dict[str, str]) -> dict[str, str]:
    """The tags from which MLflow's pages show the version of the code."""
    revision, dirty, _ = tags.get("git_revision", "none").partition("+dirty")
    if revision == "none":
        return {}
    git = {"commit": revision, "branch": tags.get("git_branch", ""), "dirty": str(bool(dirty)).lower()}
    return {f"mlflow.source.git.{name}": text for name, text in git.items()}


def _note(text: str) -> dict[str, str]:
    return {"mlflow.note.content": text} if text else {}


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
