"""What `variants` and `studies` print."""

import json
from io import StringIO

import yaml
from rich.console import Console
from rich.table import Table

from bench.config.describe import describe
from bench.config.suggest import remedy
from bench.config.tree import to_tree
from bench.errors import UserError


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


def studies() -> str:
    from bench.study.find import all_studies
    from bench.study.spec import load_study

    shown = table("study", "rows", "seeds", "title")
    for name, file in all_studies().items():
        study = load_study(file)
        shown.add_row(name, str(len(study.rows)), str(len(study.seeds)), study.title)
    return text(shown)


def study(name: str) -> str:
    from bench.study.find import find_study
    from bench.study.spec import load_study

    found = load_study(find_study(name))
    shown = table("row", "variant", "published", "about")
    for row in found.rows:
        published = ", ".join(f"{metric} {value:g}" for metric, value in row.published.items())
        shown.add_row(row.name, row.variant, published, row.about)
    return f"{found.name}: {found.title}\n{text(shown)}"


def schema() -> str:
    from bench.study.schema import study_schema

    return json.dumps(study_schema(), indent=1)


def table(*columns: str) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def text(shown: Table) -> str:
    """A table as wide as it needs to be, at least as the terminal."""
    stream = StringIO()
    Console(file=stream, width=max(100, Console().width)).print(shown)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
