"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

RUNS = Path("runs")
Storage = Annotated[Path, typer.Option("--storage", help="Folder of data, checkpoints, predictions and records.")]
Tracking = Annotated[str | None, typer.Option("--tracking", help="MLflow URI; default: sqlite in the storage.")]
Address = Annotated[str | None, typer.Option("--address", help="Address of a Ray cluster; default: this machine.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Workers of one training.")]
GPUs = Annotated[float | None, typer.Option("--gpus-per-worker", min=0, help="May be a fraction; default: 1 if any.")]
