"""`evaluate` and `rescore`: numbers from stored predictions, without a network."""

from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    app.command()(evaluate)
    app.command()(rescore)


def evaluate(
    detections: Annotated[list[Path], typer.Argument(help="Parquet or COCO results JSON; several to compare.")],
    data: Annotated[Path, typer.Option(help="A data store, or COCO annotations.")],
    protocol: Annotated[str, typer.Option(help="coco, coco-mask, voc2007, voc2012, cityscapes, …")] = "coco",
    compare: Annotated[bool, typer.Option("--compare", help="Differences to the first, with intervals.")] = False,
    per_class: Annotated[bool, typer.Option("--per-class", help="Also the numbers of each class.")] = False,
    pictures: Annotated[Path | None, typer.Option(help="Draw curves, errors and examples into this folder.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write all numbers to this file.")] = None,
) -> None:
    """Score detections of any model by a protocol."""
    from bench import api
    from bench.cli import score_texts
    from bench.score.resampling.compare import compare as compared
    from bench.study.steps.result import write_json

    found = [api.evaluate(path, data, protocol) for path in detections]
    for path, scores in zip(detections, found, strict=True):
        typer.echo(f"{path} ({scores.protocol}, {scores.engine})")
        typer.echo(score_texts.metrics(scores, per_class))
    for path, scores in zip(detections[1:], found[1:], strict=True) if compare else ():
        typer.echo(f"{path} against {detections[0]}")
        typer.echo("\n".join(f"  {line.line()}" for line in compared(found[0], scores)))
    if pictures is not None:
        for path, scores in zip(detections, found, strict=True):
            typer.echo("\n".join(map(str, score_texts.draw(scores, pictures / path.stem, data))))
    if json is not None:
        numbers = [
            {"file": str(path), "metrics": s.metrics, "per_class": s.per_class}
            for path, s in zip(detections, found, strict=True)
        ]
        write_json(json, {"protocol": found[0].protocol, "engine": found[0].engine, "evaluations": numbers})


def rescore(
    raw: Annotated[Path, typer.Argument(help="Raw predictions: a folder of shards, or one file.")],
    data: Annotated[Path, typer.Option(help="A data store, or COCO annotations.")],
    post: Annotated[Path | None, typer.Option(help="YAML of `post`; default: that of the variant.")] = None,
    sweep: Annotated[list[str] | None, typer.Option("--sweep", help="key=v1,v2,… of `post`; repeatable.")] = None,
    protocol: Annotated[str, typer.Option(help="As for evaluate.")] = "coco",
    out: Annotated[Path | None, typer.Option(help="Write the detections of each setting into this folder.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Default: one a core.")] = None,
) -> None:
    """Apply other ranking, suppression or voting to stored raw predictions: many settings at once, no network."""
    from bench import api
    from bench.cli import score_texts
    from bench.score.tables.detections_file import write_parquet

    rescored = api.rescore(raw, data, post=post, sweep=sweep or (), protocol=protocol, processes=processes)
    typer.echo(score_texts.settings(rescored))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for i, one in enumerate(rescored):
            path = out / f"{score_texts.name(one.changes) or 'post'}-{i}.parquet"
            write_parquet(path, one.detections)
            typer.echo(path)
