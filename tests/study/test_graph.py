"""What makes two steps the same work, and what makes them different."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.config.overrides import settings_from_command_line
from bench.study.definition.spec import Row, Study, load_study
from bench.study.steps.graph import Cell, Splits, cells, data_digest, unique_steps

STUDY = """title: t
data: {kind: synthetic}
variant: faster_rcnn_tiny
rows:
  base: {}
  post_only: {detector.post.score_threshold: 0.1}
  lower_floor: {detector.floor: 0.01}
  other_lr: {train.lr: 0.5}
  other_data: {data.seed: 9}
  watched: {train.log_every: 7}
  mirrored: {input.test_flip: true}
  dir: {variant: dir_tiny}
  dir_looks_before: {variant: dir_tiny, detector.quality.infer_on: proposal}
  dir_learns_before: {variant: dir_tiny, detector.quality.train_on: proposal}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


def plan(study: Study, fingerprint: str = "f") -> dict[str, Cell]:
    splits = {
        data_digest(row): Splits("/t", "/v", f"{fingerprint}-{data_digest(row)}", f"{fingerprint}v", 3)
        for row in study.rows
    }
    return {f"{cell.row.name}/{cell.seed}": cell for cell in cells(study, splits)}


def names(cell: Cell) -> list[str]:
    return [step.name for step in cell.steps]


def test_rows_share_what_does_not_differ(file: Path) -> None:
    found = plan(load_study(file))
    base = names(found["base/0"])
    assert names(found["post_only/0"])[:2] == base[:2]
    assert names(found["post_only/0"])[2] != base[2]
    assert names(found["lower_floor/0"])[0] == base[0], "the floor acts after training"
    assert names(found["lower_floor/0"])[1] != base[1]
    assert names(found["mirrored/0"])[0] == base[0], "more views act after training"
    assert names(found["mirrored/0"])[1] != base[1]
    assert names(found["watched/0"]) == base, "how often one looks is no part of the result"
    for other in ("other_lr/0", "other_data/0"):
        assert not set(names(found[other])) & set(base)


def test_a_quality_that_is_only_used_otherwise_shares_the_training(file: Path) -> None:
    found = plan(load_study(file))
    learned, looks, learns = (names(found[f"{name}/0"]) for name in ("dir", "dir_looks_before", "dir_learns_before"))
    assert looks[0] == learned[0]
    assert not set(looks[1:]) & set(learned)
    assert not set(learns) & set(learned)


def test_where_a_training_paused_is_no_part_of_its_identity_but_what_it_did_before_is(file: Path) -> None:
    other, base = (load_study(file, rows=[name]).rows[0] for name in ("other_lr", "base"))

    def until(row: Row, share: float, after: Row | None = None) -> Row:
        return replace(row, recipe=replace(row.recipe, train=replace(row.recipe.train, until=share)), after=after)

    rows = {
        "whole": base,
        "part": until(base, 0.25),
        "in two": replace(base, after=until(base, 0.25)),
        "in three": replace(base, after=until(base, 0.5, after=until(base, 0.25))),
        "from another": replace(base, after=until(other, 0.25)),
        "from another, in three": replace(base, after=until(base, 0.5, after=until(other, 0.25))),
        "from another, later": replace(base, after=until(other, 0.5)),
    }
    study = replace(load_study(file), rows=tuple(replace(row, name=name) for name, row in rows.items()))
    steps = {cell.row.name: cell.steps[0].name for cell in plan(study).values()}
    assert steps["whole"] == steps["in two"] == steps["in three"]
    assert steps["from another"] == steps["from another, in three"]
    assert len(set(steps.values())) == 4
    assert [len(cell.earlier) for cell in plan(study).values()] == [0, 0, 1, 2, 1, 2, 1]


def test_seeds_and_data_are_part_of_the_identity(file: Path) -> None:
    study = load_study(file, seeds=2)
    found = plan(study)
    assert not set(names(found["base/0"])) & set(names(found["base/1"]))
    assert not set(names(found["base/0"])) & set(names(plan(study, "g")["base/0"]))


def test_paths_are_no_part_of_the_identity(file: Path) -> None:
    study = load_study(file)
    here, there = (
        cells(study, {data_digest(row): Splits(f"{root}/t", f"{root}/v", "f", "g", 3) for row in study.rows})
        for root in ("/a", "/b")
    )
    assert [names(cell) for cell in here] == [names(cell) for cell in there]


def test_every_step_comes_once_and_after_what_it_needs(file: Path) -> None:
    steps = list(unique_steps(list(plan(load_study(file, seeds=2)).values())))
    seen: set[str] = set()
    for step in steps:
        assert step.name not in seen
        assert set(step.needs) <= seen
        seen.add(step.name)
    assert sum(step.kind == "train" for step in steps) == 2 * 5


def test_cells_go_seed_by_seed_so_that_a_first_table_stands_early(file: Path) -> None:
    assert [cell.seed for cell in plan(load_study(file, seeds=2)).values()] == [0] * 10 + [1] * 10


def test_settings_apply_to_all_rows_and_rows_can_be_chosen(file: Path) -> None:
    study = load_study(file, rows=["base", "other_lr"], overrides=settings_from_command_line(["train.lr=0.25"]))
    assert [row.name for row in study.rows] == ["base", "other_lr"]
    assert {row.recipe.train.lr for row in study.rows} == {0.25}
