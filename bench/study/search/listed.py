"""Grid and random search: all that is to be tried is known from the start."""

from collections.abc import Iterable, Sequence

from bench.study.search.trial import Searcher, Told, Trial, Values


class ListedSearcher(Searcher):
    """Proposes all at once."""

    def __init__(self, values: Iterable[Values]) -> None:
        self._trials = [Trial(one) for one in values]

    def next(self, told: Sequence[Told]) -> list[Trial]:
        return self._trials[len(told) :]
