"""A study as steps: train once, predict once, score many. A step's name says all that determines its result."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from bench.config.digest import digest
from bench.config.tree import to_tree
from bench.study.spec import Row, Study

Kind = Literal["train", "predict", "score"]
# Raised when a change of the code alters the result of a step under an unchanged config.
VERSIONS: dict[Kind, int] = {"train": 1, "predict": 1, "score": 1}


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
    """One piece of work; two steps of one name are the same work."""

    kind: Kind
    digest: str
    needs: tuple[str, ...]
    spec: Any
    """A tree that holds everything a worker needs to do it."""

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.digest}"


@dataclass(frozen=True)
class Cell:
    """One (row, seed) of the study and the steps that lead to its numbers."""

    row: Row
    seed: int
    train: Step
    predict: Step
    score: Step

    @property
    def title(self) -> str:
        return f"{self.row.name} · seed {self.seed}"

    def steps(self) -> Iterator[Step]:
        yield from (self.train, self.predict, self.score)


def cells(study: Study, splits: dict[str, Splits]) -> list[Cell]:
    """All cells, seed by seed, so that a first table of all rows stands early."""
    return [_cell(study, row, seed, splits[data_digest(row)]) for seed in study.seeds for row in study.rows]


def unique_steps(cells: list[Cell], kind: Kind) -> list[Step]:
    """The steps of a kind, each once, in order of first need."""
    return list({step.name: step for cell in cells for step in cell.steps() if step.kind == kind}.values())


def data_digest(row: Row) -> str:
    return digest(row.recipe.data)


def _cell(study: Study, row: Row, seed: int, data: Splits) -> Cell:
    detector = to_tree(row.recipe.detector)
    post = detector.pop("post")
    training = {
        "detector": detector,
        "input": to_tree(row.recipe.input),
        "train": to_tree(row.recipe.train),
        "seed": seed,
        "num_classes": data.num_classes,
    }
    train = _step(
        "train", training | {"data": data.train_fingerprint}, (), training | {"store": data.train, "post": post}
    )
    predict_spec = {"train": train.name, "store": data.val, "detector": detector | {"post": post}}
    predict = _step("predict", {"data": data.val_fingerprint}, (train.name,), training | predict_spec)
    identity = {"post": post, "protocol": study.protocol}
    score = _step("score", identity, (predict.name,), identity | {"predict": predict.name, "store": data.val})
    return Cell(row, seed, train, predict, score)


def _step(kind: Kind, identity: dict[str, Any], needs: tuple[str, ...], spec: dict[str, Any]) -> Step:
    return Step(kind, digest(kind, VERSIONS[kind], identity, list(needs)), needs, spec)
