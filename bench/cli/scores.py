"""`evaluate` and `rescore`: numbers from stored predictions, without a network."""

import typer


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
