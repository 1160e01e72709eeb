"""`locbench data`: bring a data set in, check it, look at it."""

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.common import Address

app = typer.Typer(help="Bring a data set in, check it, look at it.", no_args_is_help=True, rich_markup_mode=None)
Stores = Annotated[Path, typer.Argument(help="Folder of a store.")]


@app.command()
def prepare(
    source: Annotated[str, typer.Argument(help="Folder of a data set; with --download the name of an official one.")],
    out: Annotated[Path, typer.Argument(help="Where the stores go, one folder a split.")],
    format: Annotated[str | None, typer.Option(help="coco, voc, cityscapes, yolo; default: recognised.")] = None,
    split: Annotated[str | None, typer.Option(help="Only this split.")] = None,
    on_error: Annotated[
        str, typer.Option(help="skip: drop bad records and report them; fail: stop at the first.")
    ] = "skip",
    download: Annotated[bool, typer.Option("--download", help="Fetch the official archives first.")] = False,
    mirror: Annotated[str | None, typer.Option(help="Base address to fetch from instead of the official one.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Default: one a core.")] = None,
    address: Address = None,
) -> None:
    """Convert a data set (COCO, VOC, Cityscapes, YOLO) into stores; says exactly what was dropped and why."""
    from bench import api
    from bench.data.converting.prepare import report_file

    stores = api.prepare(
        source,
        out,
        format=format,
        split=split,
        on_error=on_error,
        download=download,
        mirror=mirror,
        processes=processes,
        address=address,
    )
    for name, store in stores.items():
        counts = store.manifest.counts
        typer.echo(f"{name}: {counts.images} images, {counts.boxes} boxes, {store.num_classes} classes → {store.path}")
        typer.echo(report_file(store.path).read_text().rstrip())


@app.command()
def verify(store: Stores) -> None:
    """Re-hash a store, re-check everything that its readers rely on, and decode every image."""
    from bench.data.looking.verify import verify as check

    found = check(store)
    for problem in found.problems:
        typer.echo(problem)
    typer.echo(f"{store}: {'well' if not found.problems else f'{len(found.problems)} problems'}")
    raise typer.Exit(1 if found.problems else 0)


@app.command()
def show(
    store: Stores,
    out: Annotated[Path, typer.Argument(help="Folder for the page and its pictures.")],
    count: Annotated[int, typer.Option(min=1, help="Pictures.")] = 24,
) -> None:
    """Write a page with pictures, boxes, and histograms of classes, sizes and shapes."""
    from bench.data.looking.gallery import show as write

    typer.echo(write(store, out, count=count))
