"""Published numbers as the tracker takes them: in our units, each row with where it stands in print."""

import re

from bench.study.definition.study_file import Published
from bench.track import record

PERCENT = 100.0
IN_PERCENT = re.compile(r"A[PR](\d+|[sml])?$|recall\d+$")
"""Metrics that papers print in percent."""


def published_rows(published: Published) -> list[record.Published]:
    return [
        record.Published(
            row=row,
            metrics=_in_our_units(numbers),
            paper=published.paper,
            table=published.table,
            schedule=published.schedule,
            footnote=" ".join(note for note in (published.notes.get(row, ""), published.note) if note),
            only_printed=row in published.others,
        )
        for row, numbers in (published.rows | published.others).items()
    ]


def _in_our_units(numbers: dict[str, float]) -> dict[str, float]:
    return dict(_in_our_unit(name, number) for name, number in numbers.items())


def _in_our_unit(name: str, number: float) -> tuple[str, float]:
    if name == "seconds_per_image":
        return "ms_per_image", 1000 * number
    return name, number / PERCENT if IN_PERCENT.match(name) else number
