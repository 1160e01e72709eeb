"""`ui`, `perf`, `doctor`: the commands around the machine."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.common import RUNS, Storage


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    for command in (ui, perf, doctor):
        app.command()(command)


def ui(
    study: Annotated[str, typer.Argument(help="Open this study; default: the newest.")] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="On the loopback interface.")] = 5000,
    storage: Storage = RUNS,
) -> None:
    """Serve MLflow's own pages on the records, on this machine only, until interrupted."""
    from bench.track.reaching.server import serve

    serve(storage, port, study or None, on_ready=lambda pages: typer.echo(f"{pages}\n(Ctrl-C stops it)"))


def perf(
    suite: Annotated[str, typer.Argument(help="Such as data, train or studies; empty: list them.")] = "",
    only: Annotated[str, typer.Option(help="Only cases with this in their name.")] = "",
    json: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
) -> None:
    """Measure speed and memory side by side with named peers, on the same inputs, outputs checked equal first."""
    from bench.perf import harness, report
    from bench.perf.harness import Options
    from bench.study.steps.result import write_json

    if not suite:
        typer.echo("\n".join(f"{name:<10} {about}" for name, about in harness.suites().items()))
        return
    options = Options(only=only)
    comparisons = list(harness.measure(suite, options))
    report.show(comparisons, suite)
    if json is not None:
        write_json(json, harness.to_json(comparisons, options.device))


def doctor() -> None:
    """Check Python, torch, Ray, MLflow, disk and data, and say what to do about what is wrong."""
    from bench.doctor import check_all

    failed = 0
    for result in check_all():
        failed += not result.ok
        typer.echo(f"{'ok  ' if result.ok else 'BAD '} {result.name:<8} {result.found}")
        if result.remedy:
            typer.echo(f"     {'':<8} → {result.remedy}")
    raise typer.Exit(1 if failed else 0)
