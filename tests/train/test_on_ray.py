"""Ray end to end: a killed worker changes nothing, faults come back as one line, other clusters are left alone."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from jobs import job_on

from bench.data.store import Store
from bench.errors import UserError
from bench.train.checkpoint import read_state
from bench.train.distributed.ray_session import Session, ray_session
from bench.train.distributed.workers import Workers
from bench.train.job import Job
from bench.train.loop import Hooks
from bench.train.records import NonFiniteLoss, StepRecord


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    before = os.environ.get("RAY_ADDRESS")
    os.environ["RAY_ADDRESS"] = "127.0.0.1:1"
    try:
        with ray_session(num_cpus=2) as session:
            yield session
    finally:
        os.environ.pop("RAY_ADDRESS") if before is None else os.environ.update(RAY_ADDRESS=before)


def weights(job: Job) -> dict[str, torch.Tensor]:
    return read_state(job.weights)["model"]


def test_an_address_where_nothing_answers():
    with (
        pytest.raises(UserError, match=r"--address 127\.0\.0\.1:1: no cluster answers there"),
        ray_session("127.0.0.1:1"),
    ):
        pass


def test_a_session_is_ours_and_a_second_one_joins_it(session: Session):
    assert session.own
    assert session.cpus == 2
    with ray_session() as inner:
        assert inner.address == session.address
        assert not inner.own
    import ray

    assert ray.is_initialized()
    assert "RAY_AUTH_TOKEN" in os.environ


def test_a_killed_worker_is_replaced_and_the_result_is_that_of_an_unbroken_run(
    session: Session, stores: dict[str, Store], tmp_path: Path
):
    from bench.train.distributed.on_ray import train_on_ray

    marker = tmp_path / "killed"

    def kill_once(record: StepRecord) -> None:
        if record.iteration == 5 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def evaluate(model: torch.nn.Module, iteration: int) -> dict[str, float]:
        return {"weight": float(sum(p.detach().double().sum() for p in model.parameters()))}

    jobs = [job_on(stores["train"], str(tmp_path / name), checkpoint_every=3) for name in ("whole", "broken")]
    whole = train_on_ray(jobs[0], Workers(count=2), hooks=Hooks(evaluate=evaluate))
    broken = train_on_ray(jobs[1], Workers(count=2), hooks=Hooks(step=kill_once, evaluate=evaluate))
    assert marker.exists()
    assert (whole.resumed_at, broken.resumed_at) == (0, 3)
    assert broken.losses == whole.losses
    assert broken.metrics == whole.metrics
    assert whole.metrics["weight"] != 0
    for name, tensor in weights(jobs[0]).items():
        assert torch.equal(tensor, weights(jobs[1])[name])


def test_a_training_that_stopped_early_goes_on_where_it_was(session: Session, stores: dict[str, Store], tmp_path: Path):
    from bench.train.distributed.on_ray import train_on_ray

    whole, part, rest = (job_on(stores["train"], str(tmp_path / name), iterations=4) for name in ("w", "p", "r"))
    train_on_ray(whole, Workers())
    train_on_ray(replace(part, train=replace(part.train, until=0.5)), Workers())
    assert train_on_ray(replace(rest, after=part.out), Workers()).resumed_at == 2
    assert all(torch.equal(tensor, weights(rest)[name]) for name, tensor in weights(whole).items())


def test_a_training_starts_with_as_many_workers_as_there_is_room_for(
    session: Session, stores: dict[str, Store], tmp_path: Path
):
    from bench.train.distributed.on_ray import train_on_ray

    alone, few = (job_on(stores["train"], str(tmp_path / name)) for name in ("alone", "few"))
    train_on_ray(alone, Workers())
    outcome = train_on_ray(few, Workers(count=3, least=1, cpus=2.0))
    assert outcome.worker_seconds == outcome.seconds, "by one worker"
    for name, tensor in weights(alone).items():
        torch.testing.assert_close(weights(few)[name], tensor, rtol=1e-4, atol=1e-5)  # two threads round differently


def test_a_loss_that_is_not_finite_comes_back_as_one_line_and_is_not_tried_again(
    session: Session, stores: dict[str, Store], tmp_path: Path
):
    from bench.train.distributed.on_ray import train_on_ray

    starts = tmp_path / "starts"

    def count(record: StepRecord) -> None:
        with starts.open("a") as file:
            file.write(f"{record.iteration}\n")

    job = job_on(stores["train"], str(tmp_path / "out"), lr=1e8, clip_norm=0.0, iterations=50)
    with pytest.raises(NonFiniteLoss, match=r"not finite at step \d+ .*; images \[.*lower train.lr"):
        train_on_ray(job, Workers(), hooks=Hooks(step=count))
    assert starts.read_text().split().count("1") == 1
