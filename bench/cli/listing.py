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

    table = _table("variant", "what it is")
    for name in zoo.names():
        table.add_row(name, zoo.description(name))
    return _text(table)


def variant(name: str, form: str) -> str:
    from detectors import zoo

    if name not in zoo.names():
        raise UserError(f"no variant is called {name!r}", where="variants", remedy=remedy(name, zoo.names()))
    config = zoo.config(name)
    if form == "yaml":
        return yaml.safe_dump(to_tree(config), sort_keys=False)
    if form != "table":
        raise UserError(f"cannot be {form!r}", where="--format", remedy="it is table or yaml")
    table = _table("setting", "value", "type or other kinds")
    for line in [*describe(config)]:
        table.add_row("  " * line.depth + line.name, line.value, line.type or " | ".join(line.alternatives))
    return f"{name} ({config.kind}): {zoo.description(name)}\n{_text(table)}"


def studies() -> str:
    from bench.study.find import all_studies
    from bench.study.spec import load_study

    table = _table("study", "rows", "seeds", "title")
    for name, file in all_studies().items():
        study = load_study(file)
        table.add_row(name, str(len(study.rows)), str(len(study.seeds)), study.title)
    return _text(table)


def study(name: str) -> str:
    from bench.study.find import find_study
    from bench.study.spec import load_study

    found = load_study(find_study(name))
    table = _table("row", "variant", "published", "about")
    for row in found.rows:
        published = ", ".join(f"{metric} {value:g}" for metric, value in row.published.items())
        table.add_row(row.name, row.variant, published, row.about)
    return f"{found.name}: {found.title}\n{_text(table)}"


def schema() -> str:
    from bench.study.schema import study_schema

    return json.dumps(study_schema(), indent=1)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _text(table: Table) -> str:
    console = Console(file=StringIO(), width=max(100, Console().width))
    console.print(table)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]
