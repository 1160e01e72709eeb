"""One training as data, and the function that runs it: in this process, or as one worker of many."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import detectors
from bench.config.digest import digest
from bench.config.tree import to_tree
from bench.data.batches.loader import train_loader
from bench.data.input import TEST_FIELDS, InputConfig
from bench.data.store import Store
from bench.errors import StepFailed
from bench.train.checkpoint import CheckpointFolder, Checkpoints, State, read_state, write_state
from bench.train.config import BOOKKEEPING, TrainConfig
from bench.train.distributed.place import Place
from bench.train.loop import Hooks, Outcome, Training, fit
from bench.train.records import forget_peak_memory
from bench.train.seeding import seed_everything
from bench.train.weights.first import absolute, give_first_weights, identity, leave_note
from bench.train.weights.saved import save_weights
from detectors.config import PartConfig
from detectors.families import DetectorConfig

WEIGHTS, END = "weights.pt", "end.pt"
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that one training needs; travels to other processes, so its paths are absolute."""

    detector: DetectorConfig
    num_classes: int
    store: str
    """Folder of the training data."""
    input: InputConfig
    train: TrainConfig
    seed: int = 0
    out: str
    """Folder for checkpoints and the weights."""
    after: str = ""
    """Folder of a training that stopped early, from whose end this one goes on."""
    loader_workers: int = 0
    """Processes that decode and resize images for each worker; 0: the worker itself."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "train", replace(self.train, weights=absolute(self.train.weights)))

    @property
    def weights(self) -> Path:
        return Path(self.out) / WEIGHTS

    def digest(self, fingerprint: str) -> str:
        """The identity of the course that the weights take: what only acts on what they say, paths and bookkeeping have
        no part in it. `train.until` says how far along it they are."""
        detector, input, train = course(self.detector, self.input, self.train)
        train["weights"] = identity(self.train.weights, self.detector)
        return digest(detector, self.num_classes, fingerprint, input, train, self.seed)


def course(
    detector: DetectorConfig, input: InputConfig, train: TrainConfig
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The trees of these without the settings that have no part in the course that weights take."""
    of_input, of_train = to_tree(input), to_tree(train)
    for name in TEST_FIELDS:
        del of_input[name]
    for name in (*BOOKKEEPING, "until"):
        del of_train[name]
    return that_trains(detector), of_input, of_train


def that_trains(config: PartConfig) -> dict[str, Any]:
    """A config's tree without the settings, at any depth, that only act on trained weights."""
    tree: dict[str, Any] = to_tree(config)
    for field in fields(config):
        part = getattr(config, field.name)
        if field.name in config.after_training:
            del tree[field.name]
        elif isinstance(part, PartConfig):
            tree[field.name] = that_trains(part)
    return tree


def prepare(job: Job, place: Place) -> Training:
    """The model with its first weights, the data and the optimizer; the same on every worker."""
    store = Store.open(Path(job.store))
    batches = train_loader(
        store,
        job.input,
        batch_size=job.train.batch_size,
        seed=job.seed,
        rank=place.rank,
        world_size=place.world_size,
        num_workers=job.loader_workers,
        pin_memory=place.device.type == "cuda",
    )
    name = job.digest(store.fingerprint)
    seed_everything(job.seed, "init")
    model = detectors.build(job.detector, num_classes=job.num_classes)
    before = end_of(Path(job.after)) | {"digest": name} if job.after else None
    if before is None:
        line = give_first_weights(model, job.train.weights, store.class_names)
        if place.rank == 0:
            leave_note(line, Path(job.out))
    return Training(model, batches, job.train, seed=job.seed, place=place, digest=name, before=before)


def train(
    job: Job, *, place: Place | None = None, hooks: Hooks | None = None, checkpoints: Checkpoints | None = None
) -> Outcome:
    """Trains, or goes on with what was trained, and leaves the weights in the job's folder."""
    place = place or Place()
    forget_peak_memory(place.device)
    training = prepare(job, place)
    folder = CheckpointFolder(Path(job.out) / CHECKPOINTS, job.train.keep_checkpoints, place.rank)
    outcome = fit(training, checkpoints or folder, hooks)
    if place.rank == 0:
        leave_weights(job, training.state(outcome.past) | {"metrics": outcome.metrics})
    return outcome


def leave_weights(job: Job, end: State) -> None:
    """The weights; and of a training that stopped early all that it takes to go on."""
    if job.train.until < 1:
        write_state(Path(job.out) / END, end)
    save_weights(job.weights, job.detector, job.num_classes, end)


def end_of(folder: Path) -> State:
    """What a training that stopped early left."""
    state = read_state(folder / END)
    if state is None:
        raise StepFailed(f"the end of the training in {folder} cannot be read: delete that folder and run again")
    return state
