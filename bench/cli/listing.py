"""What `variants` and `studies` print."""

import json
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.console import Console
from rich.table import Table

from bench.config.describe import describe
from bench.config.suggest import remedy
from bench.config.tree import to_tree
from bench.errors import UserError

if TYPE_CHECKING:
    from bench.study.definition.spec import Study

LEAST_WIDTH, FILE_WIDTH = 100, 150


def variants() -> str:
    from detectors import zoo

    shown = table("variant", "what it is")
    for name in zoo.names():
        shown.add_row(name, zoo.description(name))
    return text(shown)


def variant(name: str, form: str) -> str:
    from detectors import zoo

    if name not in zoo.names():
        raise UserError(f"no variant is called {name!r}", where="variants", remedy=remedy(name, zoo.names()))
    config = zoo.config(name)
    if form == "yaml":
        return yaml.safe_dump(to_tree(config), sort_keys=False)
    if form != "table":
        raise UserError(f"cannot be {form!r}", where="--format", remedy="it is table or yaml")
    shown = table("setting", "value", "type or other kinds")
    for line in [*describe(config)]:
        shown.add_row("  " * line.depth + line.name, line.value, line.type or " | ".join(line.alternatives))
    return f"{name} ({config.kind}): {zoo.description(name)}\n{text(shown)}"


def studies(storage: Path) -> str:
    from bench.study.completion import finished_rows
    from bench.study.definition.find import all_studies
    from bench.study.definition.spec import load_study
    from bench.study.estimate import estimate

    shown = table("study", "rows", "skipped", "seeds", "trainings", "GPU-hours", "done", "title")
    for name, file in all_studies().items():
        study = load_study(file)
        done, cost = finished_rows(study, storage), estimate(study)
        counts = [len(study.rows), len(study.skipped), len(study.seeds), cost.trainings]
        shown.add_row(name, *map(str, counts), hours(cost.gpu_hours), str(done or ""), study.title)
    return text(shown)


def study(name: str, profile: str, storage: Path, tracking: str | None) -> str:
    """Rows with what was published and measured of them, what they cost, and the verdicts on the claims."""
    from bench.study.definition.find import find_study
    from bench.study.definition.spec import load_study
    from bench.study.estimate import estimate

    found = load_study(find_study(name), profile=profile)
    measured, verdicts = _measured(found, storage, tracking)
    shown = table("row", "variant", "published", "measured", "about")
    for row in found.rows:
        shown.add_row(row.name, row.variant, _numbers(row.published), measured.get(row.name, ""), row.about)
    for skipped in found.skipped:
        shown.add_row(skipped.name, f"skipped: {skipped.reason}", _numbers(skipped.published), "", skipped.about)
    for other, numbers in (found.published.others if found.published else {}).items():
        shown.add_row(other, "published only", _numbers(numbers), "", "")
    cost = estimate(found)
    lines = [f"{found.name} ({found.profile}): {found.title}", text(shown)]
    lines += [f"  {verdicts.get(claim, 'not judged'):<10} {claim}" for claim in found.claims]
    return "\n".join([*lines, f"{cost.trainings} trainings, about {hours(cost.gpu_hours)} hours of one GPU"])


def hours(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}" if number >= 0.1 else "<0.1"


def _measured(study: "Study", storage: Path, tracking: str | None) -> tuple[dict[str, str], dict[str, str]]:
    """AP of each row as the record has it, and the verdicts by claim; nothing where there is no record."""
    from bench.track.tracker import Tracker

    if tracking is None and not (storage / "mlflow.db").exists():
        return {}, {}
    with Tracker(tracking, storage) as tracker:
        records = tracker.records(study.name, study.profile)
        told = tracker.study(study.name, study.profile)
    values: dict[str, list[float]] = {}
    for record in records:
        if record.source == "measured" and "AP" in record.metrics:
            values.setdefault(record.row, []).append(100 * record.metrics["AP"])
    shown = {row: f"AP {sum(own) / len(own):.1f} ({len(own)})" for row, own in values.items()}
    return shown, {claim["text"]: claim["verdict"] for claim in (told.claims if told else ())}


def _numbers(numbers: dict[str, float]) -> str:
    return ", ".join(f"{metric} {value:g}" for metric, value in numbers.items())


def schema() -> str:
    from bench.study.definition.schema import study_schema

    return json.dumps(study_schema(), indent=1)


def table(*columns: str) -> Table:
    """Names, in the first column, stay whole: they are there to be copied."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for i, column in enumerate(columns):
        made.add_column(column, overflow="fold", no_wrap=i == 0)
    return made


def text(shown: Table) -> str:
    """A table as wide as it needs to be, at most as the terminal; in a file there is room for a sentence."""
    terminal, stream = Console(), StringIO()
    width = max(LEAST_WIDTH, terminal.width) if terminal.is_terminal else FILE_WIDTH
    Console(file=stream, width=width).print(shown)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
