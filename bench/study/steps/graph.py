"""A study as steps: train once, predict once, score many. A step's name says all that determines its result."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.config.digest import digest
from bench.config.tree import to_tree
from bench.study.definition.spec import Row, Study
from bench.train.job import Job

Kind = Literal["train", "predict", "score"]
# Raised when a change of the code alters the result of a step under an unchanged config.
VERSIONS: dict[Kind, int] = {"train": 1, "predict": 1, "score": 2}


@dataclass(frozen=True)
class Splits:
    """The prepared data of a row: where its stores are and what is in them."""

    train: str
    val: str
    train_fingerprint: str
    val_fingerprint: str
    num_classes: int


@dataclass(frozen=True)
class Step:
    """One piece of work; two steps of one name are the same work. `work` is all that a worker needs to do it."""

    kind: Kind
    digest: str
    needs: tuple[str, ...]
    work: Any

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.digest}"


@dataclass(frozen=True)
class Prediction:
    """Raw predictions of a trained detector over the validation split."""

    store: str
    job: Job

    @property
    def floor(self) -> float:
        """Below it no candidate is kept for `post`."""
        return self.job.detector.floor


@dataclass(frozen=True)
class Scoring:
    """`post` applied to raw predictions, and the numbers of a protocol."""

    store: str
    post: Any
    protocol: str


@dataclass(frozen=True)
class Cell:
    """One (row, seed) of the study and the steps that lead to its numbers."""

    row: Row
    seed: int
    steps: tuple[Step, Step, Step]
    earlier: tuple[Step, ...] = ()
    """The trainings that its own goes on from."""

    @property
    def title(self) -> str:
        return f"{self.row.name} · seed {self.seed}"

    @property
    def score(self) -> Step:
        return self.steps[-1]


def cells(study: Study, splits: dict[str, Splits]) -> list[Cell]:
    """All cells, seed by seed, so that a first table of all rows stands early."""
    return [_cell(study, row, seed, splits[data_digest(row)]) for seed in study.seeds for row in study.rows]


def unique_steps(plan: Sequence[Cell]) -> Iterator[Step]:
    """Every step once, each after those it needs."""
    yield from {step.name: step for cell in plan for step in (*cell.earlier, *cell.steps)}.values()


def data_digest(row: Row) -> str:
    return digest(row.recipe.data)


def _cell(study: Study, row: Row, seed: int, data: Splits) -> Cell:
    recipe = row.recipe
    *earlier, train = _trainings(row, seed, data)
    job = train.work
    prediction = Prediction(store=data.val, job=job)
    before_post = {name: part for name, part in to_tree(recipe.detector).items() if name != "post"}
    predict = _step("predict", [data.val_fingerprint, recipe.input, before_post], (train.name,), prediction)
    scoring = Scoring(store=data.val, post=recipe.detector.post, protocol=study.protocol)
    score = _step("score", [scoring.post, scoring.protocol], (predict.name,), scoring)
    return Cell(row, seed, (train, predict, score), tuple(earlier))


def _trainings(row: Row, seed: int, data: Splits) -> list[Step]:
    """The training of a row, after those that it goes on from.

    On the same course it does not matter where a training paused: one that goes on is the same work as one that does
    all of it. Only changes of the course are part of its identity.
    """
    chain = [row]
    while (before := chain[0].after) is not None:
        chain.insert(0, before)
    steps: list[Step] = []
    courses: list[tuple[str, float]] = []
    for one in chain:
        job = _job(one, seed, data)
        course, until = job.digest(data.train_fingerprint), job.train.until
        if courses and courses[-1][0] == course:
            courses.pop()
        courses.append((course, until))
        needs = (steps[-1].name,) if steps else ()
        steps.append(Step("train", digest("train", VERSIONS["train"], courses), needs, job))
    return steps


def _job(row: Row, seed: int, data: Splits) -> Job:
    recipe = row.recipe
    return Job(
        detector=recipe.detector,
        num_classes=data.num_classes,
        store=data.train,
        input=recipe.input,
        train=recipe.train,
        seed=seed,
        out="",
    )


def _step(kind: Kind, identity: list[Any], needs: tuple[str, ...], work: Any) -> Step:
    return Step(kind, digest(kind, VERSIONS[kind], identity, list(needs)), needs, work)
