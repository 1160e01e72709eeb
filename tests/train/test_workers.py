"""Several workers do what one does: equal to rounding, then as far apart as rounding drives discrete choices."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from jobs import job_on
from tiny_training import MemoryBatches, TinyModel
from worker_processes import run_workers

from bench.errors import UserError
from bench.train.config import TrainConfig
from bench.train.distributed.place import Place
from bench.train.distributed.ray_session import Session
from bench.train.distributed.workers import Workers
from bench.train.job import prepare, train
from bench.train.loop import Hooks, Training, fit
from bench.train.records import NonFiniteLoss, StepRecord
from bench.train.seeding import seed_everything
from detectors.distributed import share_of
from detectors.sync_norm import SyncBatchNorm

CPU = torch.device("cpu")
COUNTS = (2, 3)
"""of workers that share batches of four images: alike, and not"""
TOLERANCE = {"retinanet_tiny": 1e-4, "faster_rcnn_tiny_iou": 5e-3, "iou_aware_tiny": 5e-3}
CONFIG = TrainConfig(iterations=8, lr=0.1, batch_size=4, warmup_iterations=2, ema_decay=0.9)


def all_checks(place: Place, folder: Path) -> None:
    """One start of the processes serves all tests of this file: it takes longer than they do."""
    for check in (memory_training, bad_loss, sync_norm, real_trainings):
        check(place, folder)


def memory_training(place: Place, folder: Path, bad: int = -1) -> None:
    seed_everything(0, "init")
    run = Training(
        TinyModel(), MemoryBatches(rank=place.rank, world_size=place.world_size, bad=bad), CONFIG, place=place
    )
    steps: list[StepRecord] = []
    entered: list[int] = []
    fit(run, hooks=Hooks(step=steps.append, around=lambda place: nullcontext(entered.append(place.rank))))
    assert entered == [place.rank]
    if place.rank == 0:
        state = {"model": run.model.state_dict(), "ema": run.ema.average, "losses": [step.losses for step in steps]}
        torch.save(state, folder / f"memory-{place.world_size}.pt")
    else:
        assert steps == []


def bad_loss(place: Place, folder: Path) -> None:
    try:
        memory_training(place, folder / "nowhere", bad=5)
    except NonFiniteLoss as error:
        (folder / f"bad-{place.world_size}-{place.rank}.txt").write_text(str(error))


def sync_norm(place: Place, folder: Path) -> None:
    norm = SyncBatchNorm(3)
    whole = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0)) * 3 + 10
    share = share_of(4, place.rank, place.world_size)
    own = whole[share.start : share.stop].clone().requires_grad_()
    (norm(own).pow(3).sum() / whole.numel()).backward()
    state = {"grad": own.grad, "of_weight": norm.weight.grad, **norm.state_dict()}
    torch.save(state, folder / f"norm-{place.world_size}-{place.rank}.pt")


def real_trainings(place: Place, folder: Path) -> None:
    for variant, job in torch.load(folder / "jobs.pt", weights_only=False).items():
        run = prepare(job, place)
        batches, losses = iter(run.batches), []
        for _ in range(3):
            run.step(next(batches), 0.0)
            losses += [record.losses for record in run.records.flush()]
        if place.rank == 0:
            torch.save({"model": run.model.state_dict(), "losses": losses}, folder / f"{variant}-{place.world_size}.pt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, stores) -> Path:
    folder = tmp_path_factory.mktemp("workers")
    torch.save(
        {name: job_on(stores["train"], str(folder), name, iterations=100) for name in TOLERANCE}, folder / "jobs.pt"
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    all_checks(Place(CPU), folder)
    torch.set_num_threads(threads)
    for count in COUNTS:
        run_workers(count, all_checks, folder)
    return folder


def both(folder: Path, name: str, count: int) -> tuple[dict, dict]:
    return torch.load(folder / f"{name}-1.pt"), torch.load(folder / f"{name}-{count}.pt")


@pytest.mark.parametrize("count", COUNTS)
def test_several_workers_train_like_one(folder: Path, count: int):
    one, two = both(folder, "memory", count)
    for part in ("model", "ema"):
        for name, tensor in one[part].items():
            torch.testing.assert_close(two[part][name], tensor, rtol=1e-4, atol=1e-6)
    for ours, theirs in zip(one["losses"], two["losses"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("variant", "tolerance"), TOLERANCE.items())
def test_several_workers_train_real_detectors_like_one(folder: Path, variant: str, tolerance: float, count: int):
    """Rounding alone in one stage; in two it also changes which proposals survive, and so what is sampled."""
    one, two = both(folder, variant, count)
    for ours, theirs in zip(one["losses"], two["losses"], strict=True):
        assert ours == pytest.approx(theirs, rel=tolerance)
    for name, tensor in one["model"].items():
        torch.testing.assert_close(two["model"][name], tensor, rtol=tolerance, atol=tolerance)


def test_every_worker_stops_at_a_loss_that_is_not_finite(folder: Path):
    texts = [(folder / f"bad-2-{rank}.txt").read_text() for rank in (0, 1)]
    assert sum("images of another worker" in text for text in texts) == 1
    assert sum("images [" in text and "5" in text for text in texts) == 1


@pytest.mark.parametrize("count", COUNTS)
def test_statistics_are_of_all_images_and_so_are_gradients(folder: Path, count: int):
    one = torch.load(folder / "norm-1-0.pt")
    parts = [torch.load(folder / f"norm-{count}-{rank}.pt") for rank in range(count)]
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        for part in parts:
            torch.testing.assert_close(part[name], one[name])
    torch.testing.assert_close(torch.cat([part["grad"] for part in parts]), one["grad"], rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(sum(part["of_weight"] for part in parts), one["of_weight"], rtol=1e-4, atol=1e-6)


def test_a_batch_of_fewer_images_than_workers(make_job):
    with pytest.raises(UserError, match="use 4 workers at most, or a larger batch"):
        train(make_job(), place=Place(CPU, 0, 5))


def test_workers_that_do_not_fit_are_refused_on_a_cluster_that_cannot_grow():
    own = Session(address="", own=True, cpus=2.0, gpus=1.0)
    Workers(count=2, gpus=0.5).check_fits(own)
    Workers(count=64).check_fits(Session(address="", own=False, cpus=2.0, gpus=0.0))
    with pytest.raises(UserError, match=r"--workers: 3 workers of 1 CPU each need 3, here are 2"):
        Workers(count=3).check_fits(own)
    with pytest.raises(UserError, match=r"--gpus-per-worker: 2 workers of 1 GPU"):
        Workers(count=2, gpus=1.0).check_fits(own)


def test_workers_on_one_gpu_talk_over_gloo():
    assert Workers(count=2, gpus=0.5).backend == "gloo"
    assert Workers(count=2, gpus=1.0).backend == "nccl"
    assert Workers(count=2).backend == "gloo"
    assert Workers(gpus=0.5).resources == {"CPU": 1.0, "GPU": 0.5}
