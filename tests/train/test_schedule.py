"""The schedule against torch's own schedulers and closed forms."""

import math

import pytest
import torch

from bench.train.config import TrainConfig
from bench.train.schedule import learning_rate


def rates(config: TrainConfig, total: int, per_epoch: int = 10) -> list[float]:
    return [learning_rate(config, iteration, total, per_epoch) for iteration in range(total)]


def torch_rates(scheduler_of, config: TrainConfig, total: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.lr)
    scheduler = scheduler_of(optimizer)
    seen = []
    for _ in range(total):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_steps_equal_torchs_multistep():
    config = TrainConfig(lr=0.5, milestones=(0.5, 0.9), gamma=0.3, warmup_iterations=0)
    expected = torch_rates(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [20, 36], gamma=0.3), config, 40)
    assert rates(config, 40) == pytest.approx(expected)


def test_cosine_equals_torchs_annealing():
    config = TrainConfig(lr=0.5, schedule="cosine", final_factor=0.1, warmup_iterations=0)
    expected = torch_rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40, eta_min=0.05), config, 40)
    assert rates(config, 40) == pytest.approx(expected)


def test_linear_warmup_equals_torchs():
    config = TrainConfig(lr=0.5, schedule="constant", warmup_iterations=8, warmup_factor=0.2)
    expected = torch_rates(lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.2, 1.0, total_iters=8), config, 30)
    assert rates(config, 30) == pytest.approx(expected)


def test_warmup_of_steps_multiplies_and_constant_warmup_jumps():
    linear = TrainConfig(lr=1.0, milestones=(0.1,), warmup_iterations=10, warmup_factor=0.0)
    assert rates(linear, 40)[3] == pytest.approx(0.3)
    assert rates(linear, 40)[5] == pytest.approx(0.5 * 0.1)
    constant = TrainConfig(lr=1.0, schedule="constant", warmup="constant", warmup_iterations=4, warmup_factor=0.25)
    assert rates(constant, 20)[:6] == [0.25] * 4 + [1.0] * 2


def test_cosine_starts_where_the_warmup_ends():
    config = TrainConfig(lr=1.0, schedule="cosine", warmup_iterations=10, warmup_factor=0.1)
    assert rates(config, 30)[10] == 1.0
    assert rates(config, 30)[20] == pytest.approx(0.5 * (1 + math.cos(math.pi / 2)))


def test_milestones_from_one_on_are_epochs():
    config = TrainConfig(lr=1.0, milestones=(1.0, 2.5), gamma=0.1, warmup_iterations=0)
    assert rates(config, 40, per_epoch=10)[9:11] == pytest.approx([1.0, 0.1])
    assert rates(config, 40, per_epoch=10)[24:26] == pytest.approx([0.1, 0.01])


def test_a_run_shorter_than_its_warmup_still_reaches_its_rate():
    config = TrainConfig(lr=1.0, schedule="constant", warmup_iterations=500)
    assert rates(config, 10)[4] < 1.0
    assert rates(config, 10)[5] == 1.0


def test_length_of_a_run():
    assert TrainConfig(epochs=2.5).total_iterations(10) == 25
    assert TrainConfig(epochs=2.5, iterations=7).total_iterations(10) == 7
    assert TrainConfig(epochs=0.01).total_iterations(10) == 1


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"milestones": (0.9, 0.5)}, "milestones"),
        ({"milestones": (3.0, 0.5)}, "milestones"),
        ({"milestones": (0.5, 0.5)}, "milestones"),
        ({"nesterov": True, "momentum": 0.0}, "nesterov"),
    ],
)
def test_settings_that_contradict_each_other(fields, names):
    with pytest.raises(ValueError, match=names):
        TrainConfig(**fields)
