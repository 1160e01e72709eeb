"""What a training does, as data: all but the bookkeeping at the end can change the weights that come out."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from detectors.config import Count, NonNegative, Positive, Unit

BOOKKEEPING = ("log_every", "checkpoint_every", "keep_checkpoints")
"""Fields that say how to watch and save a training; they are no part of its identity."""

Decay = Annotated[float, Ge(0), Lt(1)]
Share = Annotated[float, Gt(0), Le(1)]
Whole = Annotated[int, Ge(0)]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """SGD with warm-up and a schedule. The defaults are the 1x schedule of the papers: 16 images a step, 12 epochs."""

    epochs: Positive = 12.0
    iterations: Count | None = None
    """A number of steps that counts instead of `epochs`."""
    until: Share = 1.0
    """The fraction of the run after which it stops, on the schedule of the whole run: what a search has seen of a trial
    that it gave up. A longer training with the same settings goes on from there."""
    batch_size: Count = 16
    """Images a step over all workers together."""

    weights: str = "none"
    """What the training starts from: `none` (random), `imagenet` (the backbone's), `coco` (a detector of torchvision),
    or a file of weights. A file counts by its content, not by its path."""

    lr: Positive = 0.02
    lr_batch: Whole = 0
    """Images a step that `lr` is meant for: another `batch_size` scales it in proportion. 0: as it stands."""
    momentum: Decay = 0.9
    nesterov: bool = False
    weight_decay: NonNegative = 1e-4
    decay_norm_and_bias: bool = True
    """Whether weight decay also acts on biases and on the parameters of normalisation layers."""
    clip_norm: NonNegative = 0.0
    """The largest norm of the gradient; 0: any."""

    schedule: Literal["step", "cosine", "constant"] = "step"
    milestones: tuple[Annotated[float, Gt(0)], ...] = (8 / 12, 11 / 12)
    """Where the step schedule multiplies the rate by `gamma`: below 1 a fraction of the run, from 1 on an epoch."""
    gamma: Positive = 0.1
    final_factor: Unit = 0.0
    """The fraction of the rate at which the cosine schedule ends."""
    warmup: Literal["linear", "constant"] = "linear"
    warmup_iterations: Whole = 500
    """At most half of the run is spent on warm-up, however short the run."""
    warmup_factor: Unit = 0.001

    ema_decay: Decay = 0.0
    """Decay of the running average of the weights that is saved and scored; 0: the weights themselves."""
    amp: Literal["off", "bf16"] = "off"
    channels_last: bool = False
    compile: bool = False
    """Compile the part of the network that has no data-dependent shapes."""
    deterministic: bool = False
    """On a GPU: repeatable kernels where they exist, at some cost. On a CPU they are always repeatable."""

    log_every: Count = 20
    """Steps between two looks at the losses; on a GPU each look waits for the device."""
    checkpoint_every: Count = 1000
    keep_checkpoints: Count = 2

    def __post_init__(self) -> None:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0, not 0.0: set momentum: 0.9 or nesterov: false")
        if list(self.milestones) != sorted(set(self.milestones), key=lambda m: (m >= 1, m)):
            raise ValueError(f"milestones should rise, fractions before epochs, not {list(self.milestones)}")

    @property
    def peak_lr(self) -> float:
        """The rate after warm-up."""
        return self.lr * self.batch_size / self.lr_batch if self.lr_batch else self.lr

    def total_iterations(self, iterations_per_epoch: int) -> int:
        """Steps of the whole run; a run has at least one."""
        return self.iterations or max(1, round(self.epochs * iterations_per_epoch))

    def last_iteration(self, total: int) -> int:
        """The step after which a run stops."""
        return max(1, round(self.until * total))
