"""What each training runs on: as the command says, else as its row says, else one worker and a GPU if there is any."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bench.study.definition.spec import Row
from bench.study.definition.study_file import Resources
from bench.study.steps.graph import Cell
from bench.train.distributed.ray_session import Session
from bench.train.distributed.workers import Workers


@dataclass(frozen=True)
class Spread:
    """`asked` is the command's, and wins."""

    asked: Resources = field(default_factory=Resources)

    def workers(self, row: Row, session: Session) -> Workers:
        said = row.resources.under(self.asked)
        gpus = said.gpus_per_worker if said.gpus_per_worker is not None else float(session.gpus > 0)
        workers = Workers(count=said.workers or 1, least=said.least_workers, gpus=gpus)
        return replace(workers, cpus=said.cpus_per_worker) if said.cpus_per_worker else workers

    def of_steps(self, plan: Iterable[Cell], session: Session) -> dict[str, Workers]:
        """By a step's name; rows that share a step share the workers of the first of them."""
        found: dict[str, Workers] = {}
        for cell in plan:
            workers = self.workers(cell.row, session)
            for step in (*cell.earlier, *cell.steps):
                found.setdefault(step.name, workers)
        return found
