"""How far a study is, read from finished steps alone: without a tracker and without Ray, for lists of many studies."""

from pathlib import Path

from bench.study.definition.spec import Study
from bench.study.steps.cache import StepCache
from bench.study.steps.datasets import data_is_prepared, prepared_data
from bench.study.steps.graph import cells


def finished_rows(study: Study, storage: Path) -> int:
    """How many rows have all their scores below a storage."""
    if not storage.is_dir() or not study.rows or not data_is_prepared(study, storage.resolve()):
        return 0
    cache = StepCache(storage)
    plan = cells(study, prepared_data(study, cache.root))
    waiting = {cell.row.name for cell in plan if not cache.done(cell.score)}
    return len({row.name for row in study.rows} - waiting)
