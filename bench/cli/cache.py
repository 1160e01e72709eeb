"""`cache ls`, `cache prune`: what finished steps take on the disk, and how to be rid of them."""

import time
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.common import RUNS, Storage

app = typer.Typer(help="The finished steps below a storage.", no_args_is_help=True)


@app.command("ls")
def ls(storage: Storage = RUNS) -> None:
    """List all steps, the largest first: size, days since their last use, who asked for them."""
    from bench.cli.listing import table, text
    from bench.study.steps.inventory import entries

    found, now = entries(_there(storage)), time.time()
    shown = table("step", "MB", "days", "state", "asked for by")
    for entry in found:
        asked = ", ".join(entry.users[:3]) + (f" and {len(entry.users) - 3} more" if len(entry.users) > 3 else "")
        state = "done" if entry.done else "unfinished"
        shown.add_row(entry.name, f"{entry.size / 1e6:.1f}", f"{entry.days(now):.1f}", state, asked)
    typer.echo(text(shown))
    typer.echo(f"{len(found)} steps, {sum(entry.size for entry in found) / 1e6:.1f} MB in {storage}")


@app.command("prune")
def prune(
    older_than: Annotated[float, typer.Option(min=0, help="Days since the last use.")],
    study: Annotated[list[str] | None, typer.Option(help="Only what this study alone asked for; repeatable.")] = None,
    storage: Storage = RUNS,
) -> None:
    """Remove steps that were not used for some days; running ones stay, data and records too."""
    from bench.study.steps import inventory

    gone = list(inventory.prune(_there(storage), days=older_than, studies=study or ()))
    typer.echo(f"removed {len(gone)} steps, {sum(entry.size for entry in gone) / 1e6:.1f} MB")


def _there(storage: Path) -> Path:
    from bench.errors import UserError

    if not (storage / "steps").is_dir():
        raise UserError("holds no steps", where=str(storage), remedy="name the folder of the runs with --storage")
    return storage.resolve()
