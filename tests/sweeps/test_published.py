"""The studies of the papers list every row and every number that the papers print, as they print them."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from bench.study.definition.find import all_studies
from bench.study.definition.study_file import StudyFile, read_study_file
from tests.sweeps.printed import MISREAD, PRINTED, TEXTS, TORN, Printed

STUDIES = {name: file for name, file in all_studies().items() if name.partition("/")[0] in TEXTS and "/" in name}
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?!\w|\.\d)")
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w|\.\d)")
Rows = dict[str, tuple[float, ...]]


@pytest.fixture(scope="module")
def papers(shared_data: Path) -> Path:
    """The folder of the papers' texts; tests that need it are skipped where it is not."""
    folder = shared_data.parent / "papers"
    if not folder.is_dir():
        pytest.skip("no ../shared/papers beside this checkout")
    return folder


def table_of(study: str) -> str:
    """A study is called by its table, and maybe a word more."""
    return next((table for table in PRINTED if study == table or study.startswith(f"{table}_")), "")


@cache
def files_of(table: str) -> list[StudyFile]:
    return [read_study_file(file)[1] for name, file in STUDIES.items() if table_of(name) == table]


def published_rows(table: str) -> dict[str, dict[str, float]]:
    published = [content.published for content in files_of(table) if content.published]
    return {row: numbers for one in published for row, numbers in (one.rows | one.others).items()}


def test_every_study_is_one_of_a_table_or_figure() -> None:
    assert {name: table_of(name) for name in STUDIES if not table_of(name)} == {}


@pytest.mark.parametrize("table", PRINTED)
def test_every_row_and_number_of_a_table_is_in_its_study(table: str) -> None:
    files = files_of(table)
    assert files, f"no file sweeps/{table}.yaml"
    rows = sum(len(content.rows) + len(content.published.others) for content in files if content.published)
    numbers = sum(len(row) for row in published_rows(table).values())
    assert (rows if PRINTED[table].rows else 0, numbers) == (PRINTED[table].rows, PRINTED[table].numbers)


@pytest.mark.parametrize("table", [table for table, printed in PRINTED.items() if printed.start])
def test_published_numbers_stand_in_the_paper(table: str, papers: Path) -> None:
    printed = PRINTED[table]
    tokens = numbers_between((papers / TEXTS[table.partition("/")[0]]).read_text(), printed)
    rows: Rows = {row: tuple(numbers.values()) for row, numbers in published_rows(table).items() if numbers}
    if table in TORN:
        assert stands(torn(table), tokens), f"not in this order in the text: {torn(table)}"
        return
    for row, (misread, meant) in MISREAD.get(table, {}).items():
        assert rows[row] == meant
        assert not is_a_row(meant, tokens, printed), f"{row} is no exception"
        rows[row] = misread
    assert [row for row, numbers in rows.items() if not is_a_row(numbers, tokens, printed)] == []
    assert Counter(number for numbers in rows.values() for number in numbers) <= Counter(tokens)


@pytest.mark.parametrize(
    "table", [table for table, printed in PRINTED.items() if printed.rows and printed.beside is not None]
)
def test_no_number_of_a_table_is_left_out(table: str, papers: Path) -> None:
    printed, paper = PRINTED[table], table.partition("/")[0]
    there = Counter(numbers_between((papers / TEXTS[paper]).read_text(), printed))
    beside = Counter(printed.beside)
    for other, same in PRINTED.items():  # two tables may stand side by side
        if other.startswith(f"{paper}/") and same.start == printed.start:
            beside.update(number for numbers in published_rows(other).values() for number in numbers.values())
    assert there == beside


def torn(table: str) -> tuple[float, ...]:
    """The numbers of a torn table in the order in which the text has them."""
    rows = list(published_rows(table).values())
    places = [
        (int(row), metric) for part in TORN[table] for row, metrics in [part.split(":")] for metric in metrics.split()
    ]
    assert len(set(places)) == len(places) == sum(map(len, rows)), "each number once"
    return tuple(rows[row][metric] for row, metric in places)


def numbers_between(text: str, printed: Printed) -> list[float]:
    start = text.index(printed.start) + len(printed.start)
    part = text[start : text.index(printed.end, start)]
    return [float(number) for number in (DECIMAL if printed.rows else NUMBER).findall(part)]


def is_a_row(numbers: tuple[float, ...], tokens: list[float], printed: Printed) -> bool:
    if not printed.rows:
        left = iter(tokens)  # sentences say more between the numbers
        return all(number in left for number in numbers)
    return any(stands(numbers, tokens, stride) for stride in printed.strides)


def stands(numbers: tuple[float, ...], tokens: list[float], stride: int = 1) -> bool:
    """Whether the numbers follow on one another, so many tokens apart."""
    span = (len(numbers) - 1) * stride + 1
    return any(tuple(tokens[at : at + span : stride]) == numbers for at in range(len(tokens) - span + 1))
