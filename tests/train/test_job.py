"""Jobs on real, tiny detectors: repeatable, resumable, weights that come back, predictions in source pixels."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.config.tree import from_tree, to_tree
from bench.data.store import Store
from bench.errors import StepFailed, UserError
from bench.train.checkpoint import CheckpointFolder, read_state
from bench.train.distributed.place import Place
from bench.train.job import END, Job, prepare, train
from bench.train.loop import Hooks
from bench.train.predicting.predict import predict
from bench.train.records import StepRecord
from bench.train.weights.saved import load_detector
from detectors.parts.post import standard
from detectors.raw import Raw

CPU = Place(torch.device("cpu"))


def weights(job: Job) -> dict[str, torch.Tensor]:
    return read_state(job.weights)["model"]


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("variant", ["retinanet_tiny", "faster_rcnn_tiny_iou"])
def test_a_killed_job_goes_on_to_the_same_bits(make_job, variant: str):
    unbroken, broken = make_job(variant), make_job(variant, out="broken", checkpoint_every=3)

    class Killed(Exception):
        pass

    def kill(record: StepRecord) -> None:
        if record.iteration == 5:
            raise Killed

    outcome = train(unbroken, place=CPU)
    with pytest.raises(Killed):
        train(broken, place=CPU, hooks=Hooks(step=kill))
    again = train(broken, place=CPU)
    assert (again.resumed_at, again.iterations) == (3, 6)
    assert again.losses == outcome.losses
    assert same(weights(unbroken), weights(broken))


def test_resuming_in_the_middle_of_the_second_epoch(make_job):
    whole, parts = make_job(iterations=10), make_job(iterations=10, out="parts", checkpoint_every=8)
    train(whole, place=CPU)
    train(parts, place=CPU)
    folder = CheckpointFolder(Path(parts.out) / "checkpoints")
    folder.paths()[-1].write_bytes(folder.paths()[-1].read_bytes()[:-50])
    assert train(parts, place=CPU).resumed_at == 8
    assert same(weights(whole), weights(parts))


@pytest.mark.parametrize("variant", ["retinanet_tiny", "faster_rcnn_tiny_iou"])
def test_a_job_that_stopped_early_goes_on_to_the_same_bits(make_job, variant: str):
    whole, part, rest = (make_job(variant, out=name) for name in ("whole", "part", "rest"))
    part = replace(part, train=replace(part.train, until=0.5))
    outcome = train(whole, place=CPU)
    assert train(part, place=CPU).iterations == 3
    assert not (Path(whole.out) / END).exists()
    again = train(replace(rest, after=part.out), place=CPU)
    assert (again.resumed_at, again.iterations, again.losses) == (3, 6, outcome.losses)
    assert same(weights(whole), weights(rest))
    assert not same(weights(whole), weights(part))


def test_a_job_that_goes_on_with_other_settings_follows_them(make_job):
    part, still, decays = (make_job(out=name) for name in ("part", "still", "decays"))
    train(replace(part, train=replace(part.train, until=0.5)), place=CPU)
    train(replace(still, after=part.out, train=replace(still.train, lr=1e-12, warmup_iterations=0)), place=CPU)
    assert all(
        torch.allclose(a, b)
        for (name, a), b in zip(weights(part).items(), weights(still).values(), strict=True)
        if "running" not in name and "num_batches" not in name
    )
    train(replace(decays, after=part.out, train=replace(decays.train, weight_decay=9.0)), place=CPU)
    size, before = (
        sum(float(w.abs().sum()) for name, w in weights(job).items() if name.endswith("weight"))
        for job in (decays, part)
    )
    assert size < 0.9 * before


def test_an_end_that_cannot_be_read_is_one_line(make_job):
    with pytest.raises(StepFailed, match="cannot be read: delete that folder and run again"):
        train(replace(make_job(), after=make_job(out="nothing").out), place=CPU)


def test_processes_that_load_images_change_nothing(make_job):
    alone, helped = make_job(iterations=3), replace(make_job(iterations=3, out="helped"), loader_workers=2)
    train(alone, place=CPU)
    train(helped, place=CPU)
    assert same(weights(alone), weights(helped))


def test_averaged_weights_are_the_ones_that_are_saved(make_job):
    job = make_job(ema_decay=0.5)
    train(job, place=CPU)
    state = CheckpointFolder(Path(job.out) / "checkpoints").latest()
    assert same(weights(job), state["ema"])
    assert not same(weights(job), state["model"])


def test_the_identity_of_a_job_is_what_makes_its_weights(make_job):
    job = make_job()
    same_weights = [
        replace(job, out="/elsewhere", loader_workers=3),
        replace(job, train=replace(job.train, log_every=1, checkpoint_every=2, keep_checkpoints=9)),
        replace(job, input=replace(job.input, test_flip=True)),
        replace(job, detector=replace(job.detector, post=standard.Config(max_detections=7))),
    ]
    other_weights = [
        replace(job, seed=2),
        replace(job, num_classes=4),
        replace(job, train=replace(job.train, lr=0.5)),
        replace(job, input=replace(job.input, flip=0.0)),
    ]
    assert {other.digest("f") for other in same_weights} == {job.digest("f")}
    assert len({other.digest("f") for other in [job, *other_weights]} | {job.digest("g")}) == 6


def test_a_job_travels(make_job):
    job = make_job()
    assert pickle.loads(pickle.dumps(job)) == job
    assert from_tree(Job, to_tree(job)) == job


def test_weights_come_back_with_another_post(make_job):
    job = make_job()
    train(job, place=CPU)
    image = [torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)]
    plain, few = (
        load_detector(job.weights, floor=0.0, post=standard.Config(score_threshold=0.0, max_detections=count))
        for count in (100, 3)
    )
    assert not plain.training
    assert torch.equal(plain.predict_raw(image).scores, few.predict_raw(image).scores)
    assert len(few(image)[0]["boxes"]) == 3 < len(plain(image)[0]["boxes"])


@pytest.mark.parametrize("content", [None, b"", b"weights of something else"])
def test_weights_that_are_none(tmp_path: Path, content: bytes | None):
    path = tmp_path / "weights.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"weights\.pt: .*train the variant again"):
        load_detector(path)


def test_static_parts_are_compiled_and_their_weights_keep_their_names(make_job):
    plain, compiled = prepare(make_job(), CPU), prepare(make_job(compile=True), CPU)
    assert compiled.model.backbone._compiled_call_impl is not None
    assert compiled.model.neck._compiled_call_impl is not None
    assert compiled.model.state_dict().keys() == plain.model.state_dict().keys()


@pytest.mark.slow
def test_compiled_parts_train_alike(make_job):
    plain, compiled = make_job(iterations=2), make_job(iterations=2, out="compiled", compile=True)
    train(plain, place=CPU), train(compiled, place=CPU)
    for name, tensor in weights(plain).items():
        torch.testing.assert_close(tensor, weights(compiled)[name], rtol=1e-3, atol=1e-4)


class Kept:
    """A writer that keeps what it gets."""

    def __init__(self) -> None:
        self.batches: list[tuple[Raw, list[int], list[str], torch.Tensor]] = []

    def add(self, raw: Raw, images: list[int], source_ids: list[str], scales: torch.Tensor) -> None:
        self.batches.append((raw, images, source_ids, scales))


def test_predictions_cover_the_split_once_and_are_the_models_own(make_job, stores: dict[str, Store]):
    job, store = make_job(), stores["val"]
    train(job, place=CPU)
    model = load_detector(job.weights)
    done: list[int] = []
    writer = Kept()
    input = replace(job.input, mode="square", min_size=(96,))
    predicted = predict(model, store, input, writer, batch_size=4, place=CPU, advance=done.append)
    assert (predicted.images, done) == (6, [4, 2])
    assert predicted.images_per_second > 0
    assert 0 < predicted.network_seconds < predicted.seconds
    assert [row for _, rows, _, _ in writer.batches for row in rows] == list(range(6))
    assert [i for _, _, ids, _ in writer.batches for i in ids] == [store.annotations(i).source_id for i in range(6)]
    assert torch.equal(writer.batches[0][3], torch.full((4, 2), 1.5))
    halves = [Kept(), Kept()]
    for rank, half in enumerate(halves):
        predict(model, store, input, half, batch_size=4, place=Place(torch.device("cpu"), rank, 2))
    assert sorted(row for half in halves for _, rows, _, _ in half.batches for row in rows) == list(range(6))
