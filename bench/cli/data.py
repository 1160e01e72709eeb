"""`locbench data`: bring a data set in, check it, look at it."""

import typer

app = typer.Typer(help="Bring a data set in, check it, look at it.", no_args_is_help=True, rich_markup_mode=None)
