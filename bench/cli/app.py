"""The commands of `locbench`, gathered; each family of commands has a file of its own."""

from typing import Annotated

import typer

from bench.cli import cache, cluster, data, scores, studies, system

app = typer.Typer(
    name="locbench",
    help="Which way of knowing how well a box fits makes a detector better, on your data, and by how much?",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@app.callback()
def common(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, too.")] = False,
) -> None:
    """`--debug` is read before the commands are parsed, so that it may stand anywhere."""


studies.add_to(app)
scores.add_to(app)
cluster.add_to(app)
app.add_typer(data.app, name="data")
app.add_typer(cache.app, name="cache")
system.add_to(app)
