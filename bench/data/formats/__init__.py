"""The role `data`: one file a format. A config names the data set on disk; `build(split)` indexes one of its splits."""

from dataclasses import dataclass

from bench.data.converting.source import Source
from detectors.config import PartConfig


@dataclass(frozen=True, kw_only=True)
class DataConfig(PartConfig):
    """A data set with named splits, `train` and `val` among them where it has them."""

    def splits(self) -> tuple[str, ...]:
        """The names of the splits that this data set has."""
        raise TypeError(f"{type(self).__qualname__} names no format")

    def build(self, split: str) -> Source:
        """One split, indexed."""
        raise TypeError(f"{type(self).__qualname__} names no format")
