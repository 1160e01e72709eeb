"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

RUNS = Path("runs")
Storage = Annotated[
    Path,
    typer.Option("--storage", envvar="LOCBENCH_STORAGE", help="Folder of data, checkpoints, predictions and records."),
]
Tracking = Annotated[
    str | None,
    typer.Option("--tracking", envvar="LOCBENCH_TRACKING", help="MLflow URI; default: sqlite in the storage."),
]
Remote = Annotated[
    str | None,
    typer.Option(
        "--remote", envvar="LOCBENCH_REMOTE", help="Share finished steps there, for example s3://bucket/runs."
    ),
]
Address = Annotated[str | None, typer.Option("--address", help="Address of a Ray cluster; default: this machine.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Workers of one training; default: the row's, or 1.")
]
Least = Annotated[
    int | None, typer.Option("--least-workers", min=1, help="Go on with so few while others are away; default: none.")
]
GPUs = Annotated[
    float | None, typer.Option("--gpus-per-worker", min=0, help="May be a fraction; default: the row's, or 1 if any.")
]
Study = Annotated[str, typer.Argument(help="A study file, or the name of one that `locbench studies` lists.")]
Profile = Annotated[str, typer.Option(help="The size at which it runs: full, mini, smoke.")]
Rows = Annotated[str, typer.Option(help="Only these rows, separated by commas.")]
Seeds = Annotated[int | None, typer.Option(min=1, help="Number of seeds; default: the study's.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="key=value for all rows; repeatable.")]


def row_names(rows: str) -> list[str]:
    return [name.strip() for name in rows.split(",") if name.strip()]
