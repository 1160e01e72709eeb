"""PAA's two-component mixture over the losses of each object's candidates, for all objects at once, in float64.

Expectation-maximisation as scikit-learn runs it (start at the extremes with precision 1, stop when the mean
log-likelihood moves by less than 1e-3, at most 100 rounds), so that assignments equal the published code's.
"""

import math

import torch
from torch import Tensor

MAX_ROUNDS = 100
TOLERANCE = 1e-3
LEAST_VARIANCE = 1e-6
LEAST_COUNT = 10 * torch.finfo(torch.float64).eps
ROUNDS_A_STINT = 8
"""On a CPU, objects that have converged leave after so many rounds. A GPU runs all rounds and never waits."""


def fit_two_gaussians(losses: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """[G, N] losses, padded where not `valid` -> component (0 starts at the lowest loss, 1 at the highest), density.

    Densities are logarithms of the whole mixture. Padding, and a loss that is not finite, gets label -1 and -inf. One
    candidate alone is in component 0.
    """
    valid = valid & losses.isfinite()
    if valid.numel() == 0:
        return valid.long(), losses.double()
    values = losses.detach().double().where(valid, 0).unsqueeze(1)
    joint = _log_joint(values, _fit(values, valid.double().unsqueeze(1)))
    component = (joint[:, 1] > joint[:, 0]).long()
    return component.where(valid, -1), joint.logsumexp(1).where(valid, -torch.inf)


def _fit(values: Tensor, present: Tensor) -> Tensor:
    """Values and their presence, 0 or 1, [G, 1, N] -> mixtures [3, G, 2, 1]: weight, mean and variance of the two."""
    mixture = _extremes(values, present)
    bound = mixture.new_full((len(values),), -torch.inf)
    rows = torch.arange(len(values), device=values.device)
    stint = MAX_ROUNDS if values.is_cuda else ROUNDS_A_STINT
    for done in range(0, MAX_ROUNDS, stint):
        fitted, bound, running = _rounds(
            values[rows], present[rows], mixture[:, rows], bound, min(stint, MAX_ROUNDS - done)
        )
        mixture[:, rows] = fitted
        if values.is_cuda:
            break
        rows, bound = rows[running], bound[running]
        if len(rows) == 0:
            break
    return mixture


def _extremes(values: Tensor, present: Tensor) -> Tensor:
    """Where the fit starts: even weights, the least and the greatest value as means, precision 1."""
    lowest = values.where(present > 0, torch.inf).amin(2, keepdim=True)
    highest = values.where(present > 0, -torch.inf).amax(2, keepdim=True)
    mean = torch.cat([lowest, highest], 1)
    return torch.stack([torch.full_like(mean, 0.5), mean, torch.ones_like(mean)])


def _rounds(
    values: Tensor, present: Tensor, mixture: Tensor, bound: Tensor, rounds: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The mixtures after so many rounds, their last log-likelihoods, and which of them have not converged."""
    running = torch.ones_like(bound, dtype=torch.bool)
    count = present.sum((1, 2))
    for _ in range(rounds):
        joint = _log_joint(values, mixture)
        density = joint.logsumexp(1, keepdim=True)
        reached = (density * present).sum((1, 2)) / count
        mixture = torch.where(running[:, None, None], _maximise(values, (joint - density).exp() * present), mixture)
        running = running & ((reached - bound).abs() >= TOLERANCE)
        bound = reached
    return mixture, bound, running


def _maximise(values: Tensor, shares: Tensor) -> Tensor:
    """The mixture that fits values [G, 1, N] best if component k owns `shares`[:, k] of each, [G, 2, N]."""
    count = shares.sum(2, keepdim=True) + LEAST_COUNT
    mean = (shares * values).sum(2, keepdim=True) / count
    variance = (shares * (values - mean).square()).sum(2, keepdim=True) / count + LEAST_VARIANCE
    return torch.stack([count / count.sum(1, keepdim=True), mean, variance])


def _log_joint(values: Tensor, mixture: Tensor) -> Tensor:
    """log (weight x density) of each value under each component, [G, 2, N]."""
    weight, mean, variance = mixture
    constant = weight.log() - 0.5 * (variance.log() + math.log(2 * math.pi))
    return constant - (values - mean).square() / (2 * variance)
