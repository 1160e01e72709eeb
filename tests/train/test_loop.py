"""The loop: repeatable, resumable to the bit, stops at a loss that is not finite, averages, clips."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from tiny_training import MemoryBatches, TinyModel

from bench.errors import UserError
from bench.train.checkpoint import CheckpointFolder
from bench.train.config import TrainConfig
from bench.train.distributed.place import Place, check_amp
from bench.train.loop import Hooks, Outcome, Training, fit
from bench.train.optimizer import build_optimizer
from bench.train.records import NonFiniteLoss, StepRecord
from bench.train.seeding import repeatable, seed_everything, seed_for

CPU = Place(torch.device("cpu"))
CONFIG = TrainConfig(iterations=10, lr=0.1, batch_size=4, warmup_iterations=2, checkpoint_every=4, ema_decay=0.9)


def training(config: TrainConfig = CONFIG, seed: int = 3, bad: int = -1, digest: str = "d") -> Training:
    seed_everything(seed, "init")
    return Training(TinyModel(), MemoryBatches(bad=bad), config, seed=seed, place=CPU, digest=digest)


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_config_and_seed_give_the_same_bits_and_another_seed_others():
    first, second, other = training(), training(), training(seed=4)
    for run in (first, second, other):
        fit(run)
    assert same(first.model.state_dict(), second.model.state_dict())
    assert not same(first.model.state_dict(), other.model.state_dict())


def test_a_resumed_run_equals_the_unbroken_one_to_the_bit(tmp_path: Path):
    unbroken = training()
    outcome = fit(unbroken)

    class Killed(Exception):
        pass

    def kill(record: StepRecord) -> None:
        if record.iteration == 7:
            raise Killed

    with pytest.raises(Killed):
        fit(training(), CheckpointFolder(tmp_path), Hooks(step=kill))
    resumed = training()
    again = fit(resumed, CheckpointFolder(tmp_path))
    assert (again.resumed_at, again.iterations) == (4, 10)
    assert same(unbroken.model.state_dict(), resumed.model.state_dict())
    assert same(unbroken.ema.average, resumed.ema.average)
    assert again.losses == outcome.losses


def test_a_finished_run_trains_no_more_and_keeps_its_metrics(tmp_path: Path):
    hooks = Hooks(evaluate=lambda model, iteration: {"AP": iteration / 100})
    assert fit(training(), CheckpointFolder(tmp_path), hooks).metrics == {"AP": 0.1}
    again = fit(training(), CheckpointFolder(tmp_path), hooks)
    assert (again.resumed_at, again.metrics) == (10, {"AP": 0.1})
    assert again.seconds > 0
    assert again.losses
    assert again.images_per_second == pytest.approx(10 * 4 / again.seconds)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path):
    fit(training(), CheckpointFolder(tmp_path))
    with pytest.raises(UserError, match="another training"):
        fit(training(digest="e"), CheckpointFolder(tmp_path))


def test_a_loss_that_is_not_finite_stops_with_the_losses_and_the_images():
    with pytest.raises(NonFiniteLoss, match=r"step \d+ .*box nan, cls [\d.]+; images \[.*\b5\b.*\]"):
        fit(training(bad=5))


def test_steps_wait_for_a_look_and_are_then_all_told():
    run = training()
    batches = iter(run.batches)
    for _ in range(3):
        run.step(next(batches), 0.0)
    records = run.records.flush()
    assert [record.iteration for record in records] == [1, 2, 3]
    assert all(set(record.losses) == {"box", "cls"} for record in records)
    assert records[0].total == pytest.approx(sum(records[0].losses.values()))
    assert run.records.flush() == []


def test_the_first_bad_step_is_named_when_several_are_looked_at_together():
    run = training(bad=5)
    batches = iter(run.batches)
    steps = [next(batches) for _ in range(3)]
    first = next(i for i, batch in enumerate(steps) if 5 in batch[2])
    for batch in steps:
        run.step(batch, 0.0)
    with pytest.raises(NonFiniteLoss, match=f"step {first + 1} "):
        run.records.flush()


def test_the_step_is_torchs_sgd():
    config = TrainConfig(iterations=3, lr=0.1, schedule="constant", warmup_iterations=0, clip_norm=0.05, batch_size=4)
    run = training(config)
    model = copy.deepcopy(run.model)
    fit(run)
    plain = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    batches = iter(MemoryBatches())
    for iteration in range(3):
        images, targets, _ = next(batches)
        seed_everything(3, iteration)
        plain.zero_grad()
        sum(model(images, targets).values()).backward()
        norm = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters()))
        assert norm > 0.05
        for parameter in model.parameters():
            parameter.grad *= 0.05 / norm
        plain.step()
    for ours, theirs in zip(run.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_gradients_below_the_largest_norm_stay_as_they_are():
    loose, none = training(TrainConfig(iterations=3, clip_norm=1e6)), training(TrainConfig(iterations=3))
    fit(loose), fit(none)
    assert same(loose.model.state_dict(), none.model.state_dict())


def test_the_average_is_the_written_out_sum():
    run = training()
    decays = [min(0.9, (1 + i) / (10 + i)) for i in range(10)]
    expected = run.model.box.weight.detach().clone()
    batches = iter(run.batches)
    for decay in decays:
        run.step(next(batches), 0.0)
        expected = decay * expected + (1 - decay) * run.model.box.weight.detach()
    torch.testing.assert_close(run.ema.average["box.weight"], expected, rtol=1e-5, atol=1e-6)


def test_the_average_is_what_is_evaluated_and_the_weights_come_back():
    run = training()
    fit(run)
    live = copy.deepcopy(run.model.state_dict())
    seen = {}

    def evaluate(model: torch.nn.Module, iteration: int) -> dict[str, float]:
        seen.update(copy.deepcopy(model.state_dict()))
        assert not model.training
        return {}

    run.evaluate(evaluate)
    assert same(seen, run.ema.average)
    assert same(run.model.state_dict(), live)
    assert run.model.training


def test_integers_of_the_state_are_copied_into_the_average():
    model = torch.nn.BatchNorm1d(2)
    run = Training(model, MemoryBatches(), CONFIG, place=CPU)
    model(torch.rand(3, 2))
    run.ema.update(0)
    assert int(run.ema.average["num_batches_tracked"]) == 1


def test_weight_decay_can_leave_out_norms_and_biases():
    groups = build_optimizer(TinyModel(), TrainConfig(decay_norm_and_bias=False)).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(3, 1e-4), (5, 0.0)]
    assert len(build_optimizer(TinyModel(), TrainConfig()).param_groups) == 1


def test_frozen_and_shared_parameters():
    model = TinyModel()
    model.conv.requires_grad_(False)
    model.again = model.box
    assert sum(len(g["params"]) for g in build_optimizer(model, TrainConfig()).param_groups) == 6


def test_bf16_and_channels_last_train():
    outcome = fit(training(TrainConfig(iterations=3, batch_size=4, amp="bf16", channels_last=True)))
    assert outcome.iterations == 3
    assert all(math.isfinite(value) for value in outcome.losses.values())


def test_check_amp_lets_the_cpu_pass():
    check_amp("bf16", torch.device("cpu"))


def test_hooks_hear_every_step_and_every_checkpoint():
    steps: list[StepRecord] = []
    evaluated: list[int] = []
    hooks = Hooks(step=steps.append, evaluate=lambda model, iteration: evaluated.append(iteration) or {})
    outcome: Outcome = fit(training(), hooks=hooks)
    assert [record.iteration for record in steps] == list(range(1, 11))
    assert {record.iterations for record in steps} == {10}
    assert evaluated == [4, 8, 10]
    assert steps[0].rate < steps[2].rate
    assert all(r.images_per_second > 0 and r.data_seconds > 0 and r.memory_mb > 10 for r in steps)
    assert outcome.losses == steps[-1].losses
    assert outcome.images_per_second > 0


def test_what_surrounds_a_training_is_left_however_it_ends():
    said: list[str] = []

    @contextmanager
    def around(place: Place) -> Iterator[None]:
        said.append("in")
        try:
            yield
        finally:
            said.append("out")

    def kill(record: StepRecord) -> None:
        said.append(str(record.iteration))
        if record.iteration == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(training(), hooks=Hooks(step=kill, around=around))
    assert said == ["in", "1", "2", "out"]


def test_seeds_differ_by_place_and_not_by_process():
    assert seed_for(0, 1) == 9221934688551543782
    assert len({seed_for(0, 1), seed_for(1, 0), seed_for(0, "init"), seed_for(0, 1, 1)}) == 4


def test_repeatable_kernels_are_a_matter_of_the_run_alone():
    before = torch.get_deterministic_debug_mode()
    with repeatable(torch.device("cpu"), on_gpu=False):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.utils.deterministic.fill_uninitialized_memory is False
    assert torch.get_deterministic_debug_mode() == before
    with repeatable(torch.device("cuda"), on_gpu=False):
        assert torch.get_deterministic_debug_mode() == before


def test_outputs_that_are_no_numbers_are_named_even_where_an_operation_breaks_on_them():
    run = training()
    batch = next(iter(run.batches))
    whole = run._forward

    def broken(*inputs: object) -> dict[str, torch.Tensor]:
        whole(*inputs)
        raise IndexError("index -9223372036854775808 is out of bounds")

    run._forward = broken  # type: ignore[assignment]
    with pytest.raises(IndexError):
        run.step(batch, 0.0)
    next(run.model.parameters()).data.fill_(math.inf)
    with pytest.raises(NonFiniteLoss, match=r"the output of \S+ is not finite at step 1, images \[.*lower train.lr"):
        run.step(batch, 0.0)
