"""Role `rank`: the score by which candidates compete in suppression and are sorted in the end."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from detectors.config import PartConfig
from detectors.raw import Raw

Rank = Callable[[Raw], Tensor]
"""Raw of M candidates -> scores [M]."""


@dataclass(frozen=True, kw_only=True)
class RankConfig(PartConfig):
    def build(self) -> Rank:
        return super().build()


def quality_of(raw: Raw, name: str, field: str) -> Tensor:
    """The quality `name` of raw predictions; `field` is the config field that asks for it."""
    if name not in raw.quality:
        known = ", ".join(sorted(raw.quality)) or "none"
        raise ValueError(
            f"{field}: {name!r} is not among the qualities of the raw predictions ({known}); "
            f"name one of them, or give the detector a quality part that predicts it"
        )
    return raw.quality[name]
