"""`ui`, `perf`, `doctor`: the commands around the machine."""

import typer


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command()(doctor)


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
