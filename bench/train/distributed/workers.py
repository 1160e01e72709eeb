"""How a training is spread over a cluster."""

from dataclasses import dataclass

from bench.errors import UserError
from bench.train.config import Whole
from bench.train.distributed.ray_session import Session
from detectors.config import Count, NonNegative, Positive


@dataclass(frozen=True, kw_only=True)
class Workers:
    """The result does not depend on it but for rounding."""

    count: Count = 1
    least: Count | None = None
    """With so few it may start, and go on while others are away; None: with all or not at all."""
    cpus: Positive = 1.0
    gpus: NonNegative = 0.0
    """Of each worker; a fraction lets workers share a GPU."""
    max_failures: Whole = 3
    """So many lost workers are replaced."""

    @property
    def elastic(self) -> bool:
        return self.fewest < self.count

    @property
    def fewest(self) -> int:
        return self.count if self.least is None else min(self.least, self.count)

    @property
    def resources(self) -> dict[str, float]:
        return {"CPU": self.cpus} | ({"GPU": self.gpus} if self.gpus else {})

    @property
    def threads(self) -> int:
        return max(1, int(self.cpus))

    @property
    def backend(self) -> str:
        """NCCL refuses two workers on one GPU."""
        return "nccl" if self.gpus >= 1 or (self.gpus and self.count == 1) else "gloo"

    def check_fits(self, session: Session) -> None:
        """A cluster of our own does not grow: Ray would wait for ever for what it lacks."""
        for name, flag, wanted, there in (
            ("CPU", "--workers", self.cpus, session.cpus),
            ("GPU", "--gpus-per-worker", self.gpus, session.gpus),
        ):
            needed = self.fewest * wanted
            if session.own and needed > there:
                raise UserError(
                    f"{self.fewest} workers of {wanted:g} {name} each need {needed:g}, here are {there:g}",
                    where=flag,
                    remedy="use fewer workers, or a cluster with --address",
                )
