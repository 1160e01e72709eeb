"""From a data set of any format to a store: on all cores, resumable, and never half visible."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.config.tree import to_tree
from bench.data.converting.convert import convert
from bench.data.converting.recognise import recognise
from bench.data.converting.report import OnError, Report
from bench.data.converting.source import Source
from bench.data.files import locked, publish, sync, write_atomically
from bench.data.formats import DataConfig
from bench.data.store import INDEX_FILE, ShardReader, Store, row_digests
from bench.data.store.manifest import SCHEMA_VERSION, Counts, Manifest, Shard, fingerprint
from bench.data.store.schema import INDEX_SCHEMA, index_batch, list_values
from bench.data.store.shards import report_path
from bench.errors import UserError

SHARD_ROWS = 512
PLAN_FILE = "plan.json"


def prepare(
    config: DataConfig | Path | str,
    out: Path | str,
    *,
    format: str | None = None,
    on_error: OnError = "skip",
    split: str | None = None,
    workers: int | None = None,
    on_ray: bool = False,
    shard_rows: int = SHARD_ROWS,
) -> Store:
    """Converts one split into a store at `out`, or opens the store there if it was made from the same data.

    `config` is a format's config or the folder of a data set; `split` may be left out where there is only one. With
    `on_ray` shards are tasks of the Ray cluster that this process belongs to; source and store must then lie on a
    file system that all its nodes share.
    Interrupted at any point, the same call goes on from the last whole shard.
    """
    found = config if isinstance(config, DataConfig) else recognise(config, format)
    source = found.build(_one_split(found, split))
    if on_error == "fail":
        source.found.refuse_any()
    out = Path(out).resolve()
    plan = _plan(found, source, on_error, shard_rows)
    with locked(out.with_name(f".{out.name}.lock")):
        if out.exists():
            return _reopen(out, plan)
        partial = _begin(out, plan, source, shard_rows)
        report = convert(source, partial, on_error, workers, on_ray, shard_rows)
        report.merge(source.found)
        report.check()
        if not report.images.kept:
            report.save(partial)
            raise UserError(
                f"no image could be used ({_main_reason(report)})", where=str(out), remedy=f"see {report_file(partial)}"
            )
        _finish(partial, source, to_tree(found), plan, report)
        publish(partial, out)
    return Store.open(out)


def prepare_splits(
    config: DataConfig | Path | str, out: Path | str, *, format: str | None = None, **options: Any
) -> dict[str, Store]:
    """Converts every split of a data set, each into a store of its name inside `out`."""
    found = config if isinstance(config, DataConfig) else recognise(config, format)
    return {split: prepare(found, Path(out) / split, split=split, **options) for split in found.splits()}


def report_file(store: Path) -> Path:
    return store / "report.txt"


def _one_split(config: DataConfig, split: str | None) -> str:
    splits = config.splits()
    if split is None and len(splits) == 1:
        return splits[0]
    if split not in splits:
        what = f"no split {split!r}" if split else "which split?"
        raise UserError(what, where=config.kind, remedy=f"it has {', '.join(splits)}")
    return split


def _plan(config: DataConfig, source: Source, on_error: OnError, shard_rows: int) -> str:
    """What decides the bytes of the shards; a half-made store of another plan is not gone on with."""
    facts = [SCHEMA_VERSION, to_tree(config), source.split, len(source), source.key(), on_error, shard_rows]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _reopen(out: Path, plan: str) -> Store:
    store = Store.open(out)
    if store.manifest.plan != plan:
        raise UserError(
            "a store of other data (or of the same data since changed) is there",
            where=str(out),
            remedy="remove it or choose another folder",
        )
    return store


def _begin(out: Path, plan: str, source: Source, shard_rows: int) -> Path:
    """The folder that the shards are written to; what an interrupted conversion of the same plan left there stays."""
    partial = out.with_name(f".{out.name}.partial")
    if partial.exists() and _plan_of(partial) != plan:
        shutil.rmtree(partial)
    partial.mkdir(parents=True, exist_ok=True)
    for stray in partial.glob(".shard-*"):
        stray.unlink()
    facts = {"plan": plan, "images": len(source), "shard_rows": shard_rows}
    write_atomically(partial / PLAN_FILE, json.dumps(facts).encode())
    return partial


def _plan_of(partial: Path) -> str:
    try:
        return str(json.loads((partial / PLAN_FILE).read_bytes())["plan"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _main_reason(report: Report) -> str:
    return next((f"{name}: {examples}" for _, name, _, examples in report.rows()), "there are none")


def _finish(partial: Path, source: Source, config: Any, plan: str, report: Report) -> None:
    """The index, the report and, last, the manifest."""
    paths = sorted(partial.glob("shard-*.arrow"))
    tally: Counter[str] = Counter()
    per_class = [0] * len(source.classes)
    shards = []
    with pa.OSFile(str(partial / INDEX_FILE), "wb") as sink, pa.ipc.new_file(sink, INDEX_SCHEMA) as writer:
        for path in paths:
            rows = 0
            for batch in ShardReader(path).record_batches():
                rows += batch.num_rows
                writer.write_batch(index_batch(batch))
                _count(batch, tally, per_class)
            shards.append(Shard(path.name, rows))
    sync(partial / INDEX_FILE)
    report.save(partial)
    for path in paths:
        report_path(path).unlink()
    (partial / PLAN_FILE).unlink()
    Manifest(
        schema_version=SCHEMA_VERSION,
        split=source.split,
        classes=source.classes,
        counts=Counts(per_class=tuple(per_class), **tally),
        shards=tuple(shards),
        fingerprint=fingerprint(source.classes, row_digests(partial / INDEX_FILE)),
        plan=plan,
        source=config,
    ).save(partial)


def _count(batch: pa.RecordBatch, tally: "Counter[str]", per_class: list[int]) -> None:
    labels = list_values(batch, "labels")
    tally["images"] += batch.num_rows
    tally["images_without_boxes"] += sum(not n for n in batch.column("labels").value_lengths().to_pylist())
    tally["boxes"] += len(labels)
    tally["crowd"] += int(list_values(batch, "iscrowd").sum())
    tally["difficult"] += int(list_values(batch, "difficult").sum())
    tally["masks"] += sum(map(bool, batch.column("masks").flatten().to_pylist()))
    for label in labels.tolist():
        per_class[label] += 1
