"""`submit`, `jobs`, `logs`, `stop`: studies as jobs of a Ray cluster, from any machine that reaches its head."""

from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.common import GPUs, Least, Profile, Rows, Seeds, Settings, Study, Workers, row_names

if TYPE_CHECKING:
    from bench.cluster.head import Head
    from bench.cluster.pack import Pack
    from bench.study.definition.spec import Study as LoadedStudy

Head_ = Annotated[str, typer.Option("--address", help="Dashboard of the cluster's head: http(s)://HOST:8265.")]
Job = Annotated[str, typer.Argument(help="Its id, as `submit` and `jobs` say it.")]
Follow = Annotated[bool, typer.Option("--follow", help="Show the output until the job ends; exit with its code.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands of this file."""
    for command in (submit, jobs, logs, stop):
        app.command()(command)


def submit(
    study: Study,
    address: Head_,
    profile: Profile = "full",
    rows: Rows = "",
    seeds: Seeds = None,
    settings: Settings = None,
    workers: Workers = None,
    least_workers: Least = None,
    gpus_per_worker: GPUs = None,
    storage: Annotated[
        str | None, typer.Option("--storage", help="Folder that every node reaches; default: as the cluster says.")
    ] = None,
    tracking: Annotated[
        str | None, typer.Option("--tracking", help="MLflow URI as the cluster reaches it; default: as it says.")
    ] = None,
    follow: Follow = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go along and run; upload nothing.")
    ] = False,
) -> None:
    """Run a study as a job of a cluster; it goes on when this machine is closed."""
    from bench.cluster import command
    from bench.cluster.jobs import submit as start

    options = ["--profile", profile]
    options += ["--rows", rows] if rows else []
    options += ["--seeds", str(seeds)] if seeds else []
    options += ["--workers", str(workers)] if workers else []
    options += ["--least-workers", str(least_workers)] if least_workers else []
    options += ["--gpus-per-worker", f"{gpus_per_worker:g}"] if gpus_per_worker is not None else []
    options += [word for setting in settings or () for word in ("--set", setting)]
    loaded, name, pack = _packed(study, profile, rows, seeds, settings or [])
    _note(pack.describe())
    pack.check()
    head = _head(address)
    _note("the cluster has {nodes:g} nodes, {CPU:g} CPUs, {GPU:g} GPUs".format(**head.resources()))
    line = command.entrypoint(name, options, storage, tracking)
    if dry_run:
        typer.echo(line)
        return
    job = start(head, pack, line, loaded.name, profile)
    typer.echo(job)
    _note(_again(job, head))
    if follow:
        _follow(head, job)


def jobs(address: Head_) -> None:
    """List the studies that run on a cluster, and those that ran since its head started."""
    from bench.cli.listing import table, text
    from bench.cluster.jobs import listed

    found, others = listed(_head(address))
    shown = table("job", "study", "state", "since", "took")
    for job in found:
        minutes, seconds = divmod(round(job.seconds), 60)
        took = f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
        shown.add_row(job.id, job.study, job.state, f"{job.since:%Y-%m-%d %H:%M}", took)
    typer.echo(text(shown) if found else "no studies were submitted since the head started")
    if others:
        _note(f"and {others} jobs of other programs")


def logs(job: Job, address: Head_, follow: Follow = False) -> None:
    """Show the output of a job."""
    head = _head(address)
    if follow:
        _follow(head, job)
    else:
        typer.echo(head.log(job), nl=False)


def stop(job: Job, address: Head_) -> None:
    """End a job; what it finished is kept, and the same submission goes on from there."""
    head = _head(address)
    typer.echo(f"{job} is told to stop" if head.stop(job) else f"{job} had ended already")


def _head(address: str) -> "Head":
    from bench.cluster.head import Head

    head = Head(address)
    if head.readable_token:
        _note("the token can be read on its way: use https, or a tunnel (ssh -N -L 8265:localhost:8265 HEAD)")
    return head


def _packed(
    study: str, profile: str, rows: str, seeds: int | None, settings: list[str]
) -> "tuple[LoadedStudy, str, Pack]":
    """The study, checked here before anything is sent; what the job calls it; and what goes along."""
    from bench.cluster.pack import STUDIES, checkout, collect
    from bench.config.overrides import settings_from_command_line
    from bench.study.definition.find import all_studies, find_study
    from bench.study.definition.spec import load_study
    from bench.study.steps.provenance import changes, git_revision

    file = find_study(study)
    overrides = settings_from_command_line(settings)
    loaded = load_study(file, profile=profile, rows=row_names(rows), seeds=seeds, overrides=overrides)
    along = all_studies().get(loaded.name) == file.resolve()
    pack = collect(checkout(), None if along else file, revision=git_revision(), changes=changes())
    return loaded, loaded.name if along else f"{STUDIES}/{file.name}", pack


def _follow(head: "Head", job: str) -> None:
    from bench.cluster.follow import follow
    from bench.cluster.jobs import ending, exit_code
    from bench.errors import Interrupted

    try:
        ended = follow(head, job, lambda text: typer.echo(text, nl=False))
    except KeyboardInterrupt:
        raise Interrupted(f"the job goes on without this terminal; {_again(job, head)}") from None
    _note(ending(ended))
    raise typer.Exit(exit_code(ended))


def _again(job: str, head: "Head") -> str:
    where = f"{job} --address {head.address}"
    return f"follow: locbench logs {where} --follow; end: locbench stop {where}"


def _note(text: str) -> None:
    typer.echo(text, err=True)
