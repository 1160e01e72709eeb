"""`quickstart`, `run`, `studies`, `variants`, `leaderboard`: the commands around studies."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.common import (
    RUNS,
    Address,
    GPUs,
    Least,
    Profile,
    Remote,
    Rows,
    Seeds,
    Settings,
    Storage,
    Study,
    Tracking,
    Workers,
    row_names,
)
from bench.errors import UserError


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    for command in (quickstart, run, leaderboard, studies, variants):
        app.command()(command)


def quickstart(
    storage: Storage = RUNS,
    workers: Workers = None,
    tracking: Tracking = None,
) -> None:
    """Train and compare small detectors on synthetic scenes, in minutes, on any machine."""
    _run("quickstart", storage=storage, workers=workers, tracking=tracking)


def run(
    study: Study,
    profile: Profile = "full",
    rows: Rows = "",
    seeds: Seeds = None,
    settings: Settings = None,
    address: Address = None,
    workers: Workers = None,
    least_workers: Least = None,
    gpus_per_worker: GPUs = None,
    storage: Storage = RUNS,
    tracking: Tracking = None,
    remote: Remote = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the steps and what is cached; run nothing.")
    ] = False,
) -> None:
    """Run what is missing of a study, then show its leaderboard."""
    _run(
        study,
        profile=profile,
        rows=row_names(rows),
        seeds=seeds,
        settings=settings or (),
        address=address,
        workers=workers,
        least_workers=least_workers,
        gpus_per_worker=gpus_per_worker,
        storage=storage,
        tracking=tracking,
        remote=remote,
        dry_run=dry_run,
    )


def _run(study: str, **options: object) -> None:
    from bench import api

    result = api.run(study, **options)  # type: ignore[arg-type]
    typer.echo(result.text())
    result.raise_if_failed()


def leaderboard(
    studies: Annotated[list[str], typer.Argument(help="Names of studies that were run.")],
    profile: Annotated[str | None, typer.Option(help="Only rows of this profile.")] = None,
    form: Annotated[str, typer.Option("--format", help="terminal, markdown, csv or latex.")] = "terminal",
    html: Annotated[Path | None, typer.Option("--html", help="Write the page to this file.")] = None,
    compare: Annotated[
        tuple[str, str] | None, typer.Option("--compare", help="Two rows, image by image, on a page.")
    ] = None,
    storage: Storage = RUNS,
    tracking: Tracking = None,
) -> None:
    """Show the leaderboard of finished and running studies."""
    from bench import api

    if compare is not None:
        if len(studies) > 1:
            raise UserError("both rows are of one study", where="--compare", remedy=f"such as {studies[0]}")
        a, b = compare
        page = html or storage / "boards" / studies[0] / f"{a}-{b}.html"
        typer.echo(api.compare_rows(studies[0], a, b, page, profile=profile, storage=storage, tracking=tracking))
        return
    if html is not None:
        typer.echo(api.write_page(studies, html, profile=profile, storage=storage, tracking=tracking))
        return
    typer.echo(api.leaderboard_text(studies, form=form, profile=profile, storage=storage, tracking=tracking))


def studies(
    name: Annotated[str, typer.Argument(help="Show this study's rows.")] = "",
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of study files.")] = False,
    profile: Profile = "full",
    storage: Storage = RUNS,
    tracking: Tracking = None,
) -> None:
    """List the studies that come along, or of one: rows, published and measured numbers, verdicts, cost."""
    from bench.cli import listing

    if schema:
        typer.echo(listing.schema())
    else:
        typer.echo(listing.study(name, profile, storage, tracking) if name else listing.studies(storage))


def variants(
    name: Annotated[str, typer.Argument(help="Show this variant's whole tree.")] = "",
    form: Annotated[str, typer.Option("--format", help="table or yaml.")] = "table",
) -> None:
    """List the detectors of the zoo, or every setting of one with its type and value."""
    from bench.cli import listing

    typer.echo(listing.variant(name, form) if name else listing.variants())
